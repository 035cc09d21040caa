"""A layer alone leaves for other programs, and gives there what it gives here."""

import runpy
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import ostinato
import ostinato.cells
from ostinato import runtime
from ostinato.core.errors import ConfigError, DataError
from ostinato.core.registry import build
from ostinato.interop.outgoing.c import compiler

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler here")
SIZES = {"input_size": 3, "hidden_size": 5}
MIXED = [build("gru", 3, 5), build("lstm", 5, 5)]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)


def test_numpy_makes_the_layer_again_with_its_form():
    layer = ostinato.Recurrent("gru", 3, 5, bidirectional=True, merge="sum", zoneout=0.2, batch_first=True)
    said = ostinato.export(layer, to="numpy", out="layer.npz")
    assert (said.task, said.checked, [file.file for file in said.files]) == ("layer", 20, ["layer.npz"])
    assert said.difference < 1e-6
    x, lengths = torch.randn(2, 7, 3), torch.tensor([7, 0])
    expected, state = layer.eval()(x, lengths=lengths)
    found, after = runtime.load("layer.npz")(x.transpose(0, 1).numpy(), lengths=lengths.numpy())
    np.testing.assert_allclose(found.swapaxes(0, 1), expected.detach(), atol=1e-6)
    np.testing.assert_allclose(after.h, state.h.detach(), atol=1e-6)
    assert layer.batch_first  # the layer itself stays as it was


def test_torch_writes_its_own_class():
    layer = ostinato.LSTM(3, 5, num_layers=2, proj_size=2, bias=False)
    ostinato.export(layer, to="torch", out="layer")
    theirs = runpy.run_path("layer/layer.py")["load"]()
    assert type(theirs) is torch.nn.LSTM
    x = torch.randn(7, 2, 3)
    torch.testing.assert_close(theirs(x)[0], layer.eval()(x)[0])
    state = torch.load("layer/weights.pt", weights_only=True)
    assert list(state) == list(layer.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("mixed", [False, True])
def test_onnx_takes_pieces_and_their_state(mixed: bool):
    ort = pytest.importorskip("onnxruntime")
    layer = ostinato.Recurrent(MIXED) if mixed else ostinato.Recurrent("indrnn", 3, 5, num_layers=2)
    ostinato.export(layer, to="onnx", out="layer.onnx", opset=18)
    session = ort.InferenceSession("layer.onnx")
    before, after = ([port.name for port in ports] for ports in (session.get_inputs(), session.get_outputs()))
    x, state = torch.randn(9, 2, 3), [np.zeros((port.shape[0], 2, 5), np.float32) for port in session.get_inputs()[2:]]
    outputs = []
    for piece in x.numpy()[:4], x.numpy()[4:]:
        output, *state = session.run(
            None, {"x": piece, "lengths": np.full(2, len(piece)), **dict(zip(before[2:], state, strict=True))}
        )
        outputs.append(output)
    assert [name.replace("next", "state") for name in after[1:]] == before[2:]
    np.testing.assert_allclose(np.concatenate(outputs), layer.eval()(x)[0].detach(), atol=1e-6)


#: Writes the outputs of two sequences from the header alone.
USER = """
#include <stdio.h>
#include "mine.h"
int main(void)
{
    static struct mine_state state;
    static const float x[3][3] = {{1, 2, 3}, {-1, 0.5f, 0}, {0, 0, -2}};
    for (int sequence = 0; sequence < 2; ++sequence) {
        mine_reset(&state);
        for (int t = sequence; t < 3; ++t) {
            const float *output = mine_step(&state, x[t]);
            for (int j = 0; j < MINE_OUTPUTS; ++j) printf("%.9g ", output[j]);
        }
    }
    return 0;
}
"""


@needs_compiler
def test_a_program_steps_through_a_layer_in_c():
    layer = ostinato.Recurrent("gru", 3, 5, num_layers=2, zoneout=0.1).eval()
    said = ostinato.export(layer, to="c", out="out", name="mine")
    assert ([file.file for file in said.files], said.checked) == (["out/mine.h", "out/mine.c"], 20)
    assert said.difference < 1e-6
    assert said.weight_bytes == 4 * sum(tensor.numel() for tensor in layer.parameters())
    Path("main.c").write_text(USER)
    flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Iout"]
    subprocess.run([str(compiler()), *flags, "main.c", "out/mine.c", "-o", "main", "-lm"], check=True)
    found = subprocess.run(["./main"], check=True, capture_output=True, text=True).stdout.split()
    x = torch.tensor([[1, 2, 3], [-1, 0.5, 0], [0, 0, -2]])
    expected = torch.cat([layer(x[begin:, None])[0].flatten() for begin in (0, 1)])
    np.testing.assert_allclose(np.array(found, np.float32), expected.detach(), atol=1e-6)


@needs_compiler
@pytest.mark.parametrize(
    ("layer", "options"),
    [
        ({"cell": "gru", **SIZES, "bidirectional": True, "merge": "sum", "num_layers": 2}, {}),
        pytest.param({"cell": "lstm", **SIZES, "proj_size": 2, "reverse": True}, {}, marks=pytest.mark.slow),
        pytest.param({"cell": MIXED}, {}, marks=pytest.mark.slow),
        pytest.param(
            {"cell": "lstm", "input_size": 30, "hidden_size": 40}, {"weights": "int8"}, marks=pytest.mark.slow
        ),
    ],
)
def test_c_reads_whole_sequences_and_8_bits(layer, options):
    said = ostinato.export(ostinato.Recurrent(**layer), to="c", out="out", **options)
    assert said.difference < (2e-2 if options else 1e-6)
    header = Path("out/model.h").read_text()
    assert ("model_run" in header) == bool(layer.get("bidirectional") or layer.get("reverse"))


@pytest.mark.parametrize(
    ("layer", "to", "why"),
    [
        ({"cell": "gru", **SIZES}, "int8", "a layer alone is written to onnx, numpy, torch, c"),
        ({"cell": "indrnn", **SIZES}, "torch", "torch.nn has no layer of cell 'indrnn'"),
        ({"cell": "gru", **SIZES, "zoneout": 0.5}, "torch", "zoneout=0.5"),
        ({"cell": "mgu", **SIZES}, "numpy", "cell 'mgu': the runtime has"),
        ({"cell": MIXED}, "numpy", "a stack of different cells is written to onnx and c alone"),
        ({"cell": "lstm", **SIZES, "clip": 1.0}, "numpy", "clip=1.0"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(layer, to, why):
    with pytest.raises((ConfigError, DataError), match=why.replace(".", r"\.")):
        ostinato.export(ostinato.Recurrent(**layer), to=to, out="out")
    assert not list(Path().iterdir())


def test_what_is_there_stays_and_weights_of_8_bits_are_said():
    layer = ostinato.GRU(3, 5)
    Path("layer.npz").write_text("mine")
    with pytest.raises(DataError, match="--overwrite"):
        ostinato.export(layer, to="numpy", out="layer.npz")
    assert Path("layer.npz").read_text() == "mine"
    layer.weights = "int8"
    with pytest.raises(ConfigError, match=r"layer\.weights = 'float32'"):
        ostinato.export(layer, to="numpy", out="other.npz")
