"""Files that packages on PyPI carry, against the packages' own numbers. None of theirs is here: each test is skipped
where its package is not installed (`make check-all` installs the extra real-files); none is imported.
"""

import ast
import json
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import ostinato
from ostinato import interop
from ostinato.cli.main import main
from tests.oracles import foreign

pytestmark = pytest.mark.slow


def folder(package: str) -> Path:
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(next(iter(found.submodule_search_locations)))


def test_g2p_en_writes_the_phonemes_that_it_writes_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    there = folder("g2p_en")
    source = ast.parse((there / "g2p.py").read_text(encoding="utf-8"))
    (kind,) = [node for node in source.body if isinstance(node, ast.ClassDef)]
    names = {"np": np, "os": os, "dirname": str(there)}
    exec(compile(ast.Module([kind], []), "g2p", "exec"), names)  # its module loads dictionaries from the net
    (init,) = [node for node in kind.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    theirs = object.__new__(names["G2p"])
    tables = [node for node in init.body if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call)]
    for node in tables:
        exec(compile(ast.Module([node], []), "g2p", "exec"), {"self": theirs})
    theirs.load_variables()
    monkeypatch.chdir(tmp_path)
    Path("graphemes.txt").write_text("\n".join(theirs.graphemes))
    Path("phonemes.txt").write_text("\n".join(theirs.phonemes))
    given = ["--task", "translate", "--vocabulary", "graphemes.txt,phonemes.txt", "--max-length", "20"]
    assert main(["import", str(there / "checkpoint20.npz"), *given, "--out", "run"]) == 0
    run = ostinato.load("run")
    words = ["ostinato", "recurrent", "network", "python", "gates", "rhythm", "zebra", "quick"]
    assert run.predict(words, beam=1) == [" ".join(theirs.predict(word)) for word in words]
    x = theirs.encode("ostinato")
    arrays = [theirs.enc_w_ih, theirs.enc_w_hh, theirs.enc_b_ih, theirs.enc_b_hh]
    expected = theirs.gru(x, x.shape[1], *arrays)
    found, _ = run.model.encoder.recurrent(torch.from_numpy(x).transpose(0, 1))
    np.testing.assert_allclose(found.transpose(0, 1).detach().numpy(), expected, atol=1e-5)


def test_the_lstm_of_silero_vad_computes_what_onnx_runtime_does():
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    file = folder("silero_vad") / "data" / "silero_vad_16k_sequence.onnx"
    (stack,) = interop.read(file).of(interop.Stack)
    model = onnx.load(file)
    (node,) = [node for node in model.graph.node if node.op_type == "LSTM"]
    for name in (node.input[0], node.output[0]):  # what goes in and what comes out
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = runtime.InferenceSession(model.SerializeToString())
    draw = np.random.default_rng(0)
    given = {}
    for each in session.get_inputs():
        shape = [size if isinstance(size, int) else 9 for size in each.shape]
        given[each.name] = draw.standard_normal(shape).astype(np.float32)
    x, expected = session.run([node.input[0], node.output[0]], given)
    found, _ = interop.layer(stack)(
        torch.from_numpy(x), tuple(torch.from_numpy(given[name]) for name in node.input[5:7])
    )
    np.testing.assert_allclose(found.detach().numpy(), expected[:, 0], atol=1e-5)


def test_every_file_of_silero_vad_has_its_lstm():
    pytest.importorskip("onnx")
    data = folder("silero_vad") / "data"
    kept = interop.read(data / "silero_vad_16k.safetensors").of(interop.Stack)[0]
    for name in ("silero_vad_16k_op15.onnx", "silero_vad_openvino_16k.onnx", "silero_vad_16k_sequence.onnx"):
        stack = interop.read(data / name).of(interop.Stack)[0]
        for key, array in kept.weights.items():  # of one training, in another precision: alike, gate by gate
            for one, other in zip(np.split(array, 4), np.split(stack.weights[key], 4), strict=True):
                assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9, (name, key)


def test_the_recurrent_layers_of_textgenrnn_predict_english():
    h5py = pytest.importorskip("h5py")
    there = folder("textgenrnn")
    file = there / "textgenrnn_weights.hdf5"
    found = interop.read(file)
    stacks = {stack.name: stack for stack in found.of(interop.Stack)}
    assert [stack.layer for stack in stacks.values()] == ["CuDNNLSTM", "CuDNNLSTM"]
    known = json.loads((there / "textgenrnn_vocab.json").read_text())
    text = "What is the best way to learn about the history of the world?"
    ids = [known["<s>"], *(known[character] for character in text)]
    with h5py.File(file) as arrays:
        own = {layer: [arrays[f"{layer}/{layer}/{name}:0"][()] for name in ("kernel", "recurrent_kernel", "bias")]
               for layer in stacks}  # fmt: skip
        attention = arrays["attention/attention/attention_W:0"][()]
    (embedding,), (output,) = found.of(interop.Embedding), found.of(interop.Dense)
    x = torch.from_numpy(embedding.weight[ids])[:, None]
    with torch.no_grad():
        one, _ = interop.layer(stacks["rnn_1"])(x)
        two, _ = interop.layer(stacks["rnn_2"])(one)
    expected = foreign.keras_cudnn_lstm(x.numpy(), *own["rnn_1"])
    np.testing.assert_allclose(one.numpy(), expected, atol=1e-5)
    expected = foreign.keras_cudnn_lstm(one.numpy(), *own["rnn_2"])
    np.testing.assert_allclose(two.numpy(), expected, atol=1e-5)
    # by its own attention, its model knows English; with gates in another order it loses 7 to 60 nats a character
    losses = []
    for end in range(1, len(ids)):
        context = ids[:end][-40:]
        x = torch.from_numpy(embedding.weight[[0] * (40 - len(context)) + context])[:, None]
        with torch.no_grad():
            one, _ = interop.layer(stacks["rnn_1"])(x)
            two, _ = interop.layer(stacks["rnn_2"])(one)
        read = torch.cat([x, one, two], -1)[:, 0].numpy()
        a = np.exp((read @ attention)[:, 0])
        logits = torch.from_numpy(output.weight @ (a / a.sum() @ read) + output.bias)
        losses.append(-logits.log_softmax(0)[ids[end]].item())
    assert np.mean(losses) < 1.0
