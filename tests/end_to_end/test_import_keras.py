"""Keras' files, in the layouts of versions 2 and 3, against Keras' own equations in NumPy."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ostinato
import ostinato.runtime
from ostinato import interop
from ostinato.interop import hdf5
from ostinato.native import library as native_library
from tests.end_to_end.test_import import ids, imported, loss_by, own_folder, refusal  # noqa: F401
from tests.oracles import foreign

h5py = pytest.importorskip("h5py")
from tests.end_to_end import keras_files  # noqa: E402

RNG = np.random.default_rng(2)
V, D, H = 31, 4, 5


def drawn(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def arrays(gates: int, inputs: int = D, bias: tuple[int, ...] | None = None, way: str = "") -> dict[str, np.ndarray]:
    rows = gates * H
    return {
        f"{way}kernel": drawn(inputs, rows),
        f"{way}recurrent_kernel": drawn(H, rows),
        f"{way}bias": drawn(*(bias or (rows,))),
    }


def embedding() -> keras_files.Layer:
    return "Embedding", {"name": "embedding"}, {"embeddings": drawn(V, D)}


def dense(outputs: int, inputs: int = H, activation: str = "softmax") -> keras_files.Layer:
    return (
        "Dense",
        {"name": "dense", "activation": activation},
        {"kernel": drawn(inputs, outputs), "bias": drawn(outputs)},
    )


LAYERS: dict[str, tuple[str, dict[str, Any], tuple[int, Any], Any]] = {
    "simple": ("SimpleRNN", {}, (1, None), foreign.keras_simple_rnn),
    "lstm": ("LSTM", {}, (4, None), foreign.keras_lstm),
    "gru": ("GRU", {"reset_after": True}, (3, (2, 3 * H)), foreign.keras_gru),
    "gru, reset before": ("GRU", {"reset_after": False}, (3, None), foreign.keras_gru_reset_before),
    "cudnn lstm": ("CuDNNLSTM", {}, (4, (8 * H,)), foreign.keras_cudnn_lstm),
    "cudnn gru": ("CuDNNGRU", {}, (3, (6 * H,)), foreign.keras_cudnn_gru),
}


@pytest.mark.parametrize(
    ("name", "ending"),
    [(name, ending) for name in LAYERS for ending in ("h5", "keras", "weights.h5")
     if ending == "h5" or not name.startswith("cudnn")],  # version 3 has none
)  # fmt: skip
def test_every_layer_of_every_kind_of_file(name: str, ending: str):
    kind, config, (gates, bias), oracle = LAYERS[name]
    own = arrays(gates, bias=bias)
    config = {"name": "rnn", "return_sequences": True, **config}
    layers = [embedding(), (kind, config, own), dense(3)]
    write = {"h5": keras_files.write_h5, "keras": keras_files.write_keras, "weights.h5": keras_files.write_weights}
    write[ending](f"model.{ending}", layers)
    (stack,) = interop.read(f"model.{ending}").of(interop.Stack)
    x = drawn(6, 2, D)
    output = interop.layer(stack)(torch.from_numpy(x))[0].detach().numpy()
    np.testing.assert_allclose(output, oracle(x, *own.values()), atol=1e-5)


def softmax(z: np.ndarray) -> np.ndarray:
    found = np.exp(z - z.max(-1, keepdims=True))
    return found / found.sum(-1, keepdims=True)


TEXTS = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9 w1"]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_classifier_by_its_last_step(backwards: bool, capsys: pytest.CaptureFixture[str]):
    own, config = arrays(4), {"name": "rnn", "return_sequences": False, "go_backwards": backwards}
    layers = [embedding(), ("Dropout", {"name": "dropout"}, {}), ("LSTM", config, own), dense(3)]
    keras_files.write_h5("model.h5", layers)
    Path("labels.txt").write_text("good\nbad\nugly\n")
    imported(capsys, "model.h5", "--text", "text.txt", "--labels", "labels.txt", "--out", "run")
    vectors, head = layers[0][2]["embeddings"], layers[-1][2]
    if not isinstance(native_library.load(), str):  # without torch, the same way round
        x = drawn(6, 2, D)
        theirs = foreign.keras_lstm(x[::-1] if backwards else x, *own.values())
        output, _ = ostinato.runtime.load("run")(x)
        np.testing.assert_allclose(output, theirs[::-1] if backwards else theirs, atol=1e-5)
    for text, answer in zip(TEXTS, ostinato.load("run").predict(TEXTS), strict=True):
        x = vectors[[ids()[word] for word in text.split()]][:, None]
        h = foreign.keras_lstm(x[::-1] if backwards else x, *own.values())[-1, 0]
        expected = softmax(h @ head["kernel"] + head["bias"])
        np.testing.assert_allclose([*answer["probabilities"].values()], expected, atol=2e-5)
        assert list(answer["probabilities"]) == ["good", "bad", "ugly"]


@pytest.mark.parametrize("pooled", [True, False])
def test_both_directions_stacked_pooled_and_a_single_sigmoid(pooled: bool, capsys: pytest.CaptureFixture[str]):
    both = arrays(3, bias=(2, 3 * H), way="forward/") | arrays(3, bias=(2, 3 * H), way="backward/")
    above = arrays(3, 2 * H, (2, 3 * H), "forward/") | arrays(3, 2 * H, (2, 3 * H), "backward/")

    def layer(name: str, own: dict[str, np.ndarray], sequences: bool) -> keras_files.Layer:
        inner = {"class_name": "GRU", "config": {"reset_after": True, "return_sequences": sequences}}
        return "Bidirectional", {"name": name, "layer": inner, "merge_mode": "concat"}, own

    layers = [embedding(), layer("both", both, True), layer("above", above, pooled)]
    layers += [("GlobalMaxPooling1D", {"name": "pool"}, {})] if pooled else []
    layers += [dense(1, 2 * H, "sigmoid")]
    keras_files.write_keras("model.keras", layers)
    imported(capsys, "model.keras", "--text", "text.txt", "--out", "run")

    def run(own: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        first, second = ([own[f"{way}/{key}"] for key in ("kernel", "recurrent_kernel", "bias")]
                         for way in ("forward", "backward"))  # fmt: skip
        return np.concatenate([foreign.keras_gru(x, *first), foreign.keras_gru(x[::-1], *second)[::-1]], -1)

    head = layers[-1][2]
    for text, answer in zip(TEXTS, ostinato.load("run").predict(TEXTS), strict=True):
        h = run(above, run(both, layers[0][2]["embeddings"][[ids()[word] for word in text.split()]][:, None]))[:, 0]
        h = h.max(0) if pooled else np.concatenate([h[-1, :H], h[0, H:]])
        expected = foreign.sigmoid(h @ head["kernel"] + head["bias"])
        np.testing.assert_allclose(answer["probabilities"]["1"], expected[0], atol=2e-5)


def test_a_language_model_with_a_vocabulary_from_1(capsys: pytest.CaptureFixture[str]):
    known = {word: number + 1 for word, number in ids().items()}
    layers = [
        ("Embedding", {"name": "embedding"}, {"embeddings": drawn(V + 1, D)}),
        ("LSTM", {"name": "one", "return_sequences": True}, arrays(4)),
        ("LSTM", {"name": "two", "return_sequences": True}, arrays(4, H)),
        ("TimeDistributed", {"name": "dense", "layer": {"class_name": "Dense", "config": {"activation": "softmax"}}},
         dense(V + 1)[2]),
    ]  # fmt: skip
    keras_files.write_h5("model.h5", layers)
    Path("ids.json").write_text(__import__("json").dumps(known))
    imported(capsys, "model.h5", "--vocabulary", "ids.json", "--out", "run")
    run, (vectors,), head = ostinato.load("run"), layers[0][2].values(), layers[-1][2]

    def score(tokens):
        h = foreign.keras_lstm(vectors[tokens][:, None], *layers[1][2].values())
        h = foreign.keras_lstm(h, *layers[2][2].values())[:, 0]
        return (h @ head["kernel"] + head["bias"])[:, 1:]  # without the padding, which ours does not have

    less = {word: number - 1 for word, number in known.items()}
    found = run.evaluate("text.txt")["loss"]
    with torch.no_grad():
        words = Path("text.txt").read_text().replace("\n", " <eos> ").split()
        tokens = np.array([known["<eos>"], *(known[word] for word in words)])
        scores = torch.from_numpy(score(tokens[:-1]))
        expected = torch.nn.functional.cross_entropy(scores, torch.tensor([less[word] for word in words])).item()
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_other_activations_and_the_hard_sigmoid_of_each_version():
    own = arrays(4)
    given = {"name": "rnn", "activation": "softsign", "recurrent_activation": "hard_sigmoid"}
    for version, write, slope in (("2.2.4", keras_files.write_h5, 0.2), ("3.5.0", keras_files.write_keras, 1 / 6)):
        write("model.any", [embedding(), ("LSTM", given, own), dense(3)], version)
        (stack,) = interop.read("model.any").of(interop.Stack)
        x = drawn(1, 2, D)
        i, _, g, o = np.split(x[0] @ own["kernel"] + own["bias"], 4, axis=1)
        i, o = (np.clip(slope * each + 0.5, 0, 1) for each in (i, o))
        c = i * g / (1 + abs(g))
        output = interop.layer(stack)(torch.from_numpy(x))[0][0].detach().numpy()
        np.testing.assert_allclose(output, o * c / (1 + abs(c)), atol=1e-5)


def test_numbers_are_classified_as_they_are(capsys: pytest.CaptureFixture[str]):
    own = arrays(1)
    keras_files.write_h5("model.h5", [("SimpleRNN", {"name": "rnn", "return_sequences": False}, own), dense(3)])
    imported(capsys, "model.h5", "--out", "run")
    x, head = drawn(6, D), dense_of("model.h5")
    (answer,) = ostinato.load("run").predict([x])
    expected = softmax(foreign.keras_simple_rnn(x[:, None], *own.values())[-1, 0] @ head[0] + head[1])
    np.testing.assert_allclose([*answer["probabilities"].values()], expected, atol=2e-5)


def dense_of(path: str) -> list[np.ndarray]:
    with h5py.File(path) as file:
        return [file[f"model_weights/dense/dense/{name}:0"][()] for name in ("kernel", "bias")]


def test_what_no_run_can_be_is_refused(capsys: pytest.CaptureFixture[str]):
    lstm = ("LSTM", {"name": "rnn", "return_sequences": False}, arrays(4))
    wide = ("LSTM", {"name": "rnn_7"}, arrays(4, 9))
    nan = arrays(4)
    nan["bias"][3] = np.nan
    conv = ("Conv1D", {"name": "conv"}, {"kernel": drawn(3, D, D)})
    leaky = (lstm[0], lstm[1] | {"activation": "leaky_relu"}, lstm[2])
    cases: dict[str, tuple[list[keras_files.Layer], str]] = {
        "conv": (
            [embedding(), conv, lstm, dense(3)],
            "conv of shape",
        ),
        "deep": ([embedding(), lstm, dense(H, activation="relu"), ("Dense", {"name": "top"}, dense(3)[2])], "top"),
        "relu": ([embedding(), lstm, dense(3, activation="relu")], "ends with relu"),
        "leaky": (
            [embedding(), leaky, dense(3)],
            "activation=leaky",
        ),
        "width": ([embedding(), wide, dense(3)], "rnn_7 reads 9 features"),
        "nan": ([embedding(), ("LSTM", {"name": "rnn_9"}, nan), dense(3)], "rnn_9/bias:0: holds numbers"),
        "gates": (
            [embedding(), ("LSTM", {"name": "rnn_8"}, arrays(3)), dense(3)],
            "rnn_8: expected the matrices",
        ),
        "none": ([embedding(), ("LSTM", {"name": "rnn_6"}, {}), dense(3)], "rnn_6: expected arrays kernel"),
    }
    for name, (layers, message) in cases.items():
        keras_files.write_h5(f"{name}.h5", layers)
        assert message in refusal(capsys, f"{name}.h5", "--text", "text.txt"), name


def test_damaged_files_and_claims_are_refused(capsys: pytest.CaptureFixture[str]):
    layers = [embedding(), ("LSTM", {"name": "rnn", "return_sequences": False}, arrays(4)), dense(3)]
    for name, write in (("cut.h5", keras_files.write_h5), ("cut.keras", keras_files.write_keras)):
        write(name, layers)
        keras_files.cut(name)
        assert "cut off" in refusal(capsys, name, "--text", "text.txt")
    keras_files.write_h5("claims.h5", layers)
    with h5py.File("claims.h5", "a") as file:
        del file["model_weights/rnn/rnn/kernel:0"]
        file.create_dataset("model_weights/rnn/rnn/kernel:0", (1 << 15, 1 << 15), np.float32)
    said = refusal(capsys, "claims.h5", "--text", "text.txt")
    assert "rnn/kernel:0: shape (32768, 32768) claims" in said
    keras_files.write_h5("links.h5", layers)
    with h5py.File("links.h5", "a") as file:
        del file["model_weights/rnn/rnn/kernel:0"]
        file["model_weights/rnn/rnn/kernel:0"] = h5py.ExternalLink("claims.h5", "/model_weights")
    assert "has no 'rnn/kernel:0'" in refusal(capsys, "links.h5", "--text", "text.txt")
    with h5py.File("other.h5", "w") as file:
        file["x"] = 1
    assert "none of Keras'" in refusal(capsys, "other.h5", "--text", "text.txt")


@pytest.mark.parametrize(
    ("trial", "why"),
    [("import os; os.abort()", "ends the process that reads it .signal 6."), ("while True: pass", "not read it after")],
)
def test_a_file_that_ends_or_holds_up_hdf5_is_refused(trial, why, capsys, monkeypatch: pytest.MonkeyPatch):
    Path("trial.py").write_text(trial)
    monkeypatch.setattr(hdf5, "_TRIAL", Path("trial.py").absolute())
    monkeypatch.setattr(hdf5, "_PATIENCE", 1)
    keras_files.write_h5("model.h5", [embedding(), dense(3)])
    assert re.search(f"model.h5: damaged: HDF5's library .*{why}", refusal(capsys, "model.h5", "--text", "text.txt"))
