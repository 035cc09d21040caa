"""TensorFlow 1's variables in .npz files, against its cells in NumPy; and arrays by torch.nn's names."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import ostinato
from ostinato import interop
from tests.end_to_end.test_import import ids, imported, loss_by, own_folder, refusal  # noqa: F401
from tests.oracles import foreign

RNG = np.random.default_rng(4)
V, D, H = 31, 4, 5


def drawn(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("forget_bias", [None, 0.0])
def test_a_language_model_of_two_basic_lstm_cells(forget_bias: float | None, capsys: pytest.CaptureFixture[str]):
    cells = [(drawn(inputs + H, 4 * H), drawn(4 * H)) for inputs in (D, H)]
    arrays = {"Model/embedding": drawn(V, D), "Model/softmax_w": drawn(H, V), "Model/softmax_b": drawn(V)}
    for number, (kernel, bias) in enumerate(cells):
        scope = f"Model/RNN/multi_rnn_cell/cell_{number}/basic_lstm_cell"
        arrays |= {f"{scope}/kernel": kernel, f"{scope}/bias": bias}
    arrays["Model/global_step"] = np.float32(7)
    np.savez("model.npz", **arrays)
    given = [] if forget_bias is None else ["--forget-bias", str(forget_bias)]
    said = imported(capsys, "model.npz", "--text", "text.txt", *given, "--out", "run")
    assert said["format"] == "TensorFlow 1"

    def score(tokens):
        h = arrays["Model/embedding"][tokens][:, None]
        for kernel, bias in cells:
            h = foreign.tensorflow_basic_lstm(h, kernel, None, bias, 1.0 if forget_bias is None else forget_bias)
        return h[:, 0] @ arrays["Model/softmax_w"] + arrays["Model/softmax_b"]

    assert ostinato.load("run").evaluate("text.txt")["loss"] == pytest.approx(loss_by(score, ids()), abs=1e-5)


def test_gru_cells_of_both_directions():
    arrays, ways = {}, {}
    for way in ("fw", "bw"):
        gates, candidate = drawn(D + H, 2 * H), drawn(D + H, H)
        bias = drawn(2 * H), drawn(H)
        ways[way] = np.hstack([gates, candidate]), None, np.hstack(bias)
        scope = f"bidirectional_rnn/{way}/gru_cell"
        arrays |= {f"{scope}/gates/kernel": gates, f"{scope}/gates/bias": bias[0]}
        arrays |= {f"{scope}/candidate/kernel": candidate, f"{scope}/candidate/bias": bias[1]}
    np.savez_compressed("model.npz", **arrays)
    (stack,) = interop.read("model.npz").of(interop.Stack)
    x = drawn(6, 2, D)
    expected = np.concatenate(
        [foreign.tensorflow_gru(x, *ways["fw"]), foreign.tensorflow_gru(x[::-1], *ways["bw"])[::-1]], -1
    )
    np.testing.assert_allclose(interop.layer(stack)(torch.from_numpy(x))[0].detach().numpy(), expected, atol=1e-5)


def test_arrays_by_torchs_names():
    lstm = nn.LSTM(D, H, 2, bidirectional=True)
    np.savez("model.npz", **{f"rnn.{name}": one.detach().numpy() for name, one in lstm.state_dict().items()})
    (stack,) = interop.read("model.npz").of(interop.Stack)
    x = torch.from_numpy(drawn(6, 2, D))
    torch.testing.assert_close(interop.layer(stack)(x)[0], lstm(x)[0], atol=1e-5, rtol=0)


def test_damaged_files_objects_and_claims_are_refused(capsys: pytest.CaptureFixture[str]):
    good = {"rnn/basic_lstm_cell/kernel": drawn(D + H, 4 * H), "rnn/basic_lstm_cell/bias": drawn(4 * H)}
    np.savez("whole.npz", **good)
    whole = Path("whole.npz").read_bytes()
    Path("cut.npz").write_bytes(whole[: len(whole) // 2])
    assert "cut off" in refusal(capsys, "cut.npz", "--text", "text.txt")
    with zipfile.ZipFile("whole.npz") as old, zipfile.ZipFile("claims.npz", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"(9, 20), ", b"(99999, 20), ").replace(b"}    ", b"}", 1))
    assert "(99999, 20) claims 7,999,920 bytes" in refusal(capsys, "claims.npz", "--text", "text.txt")
    np.savez("objects.npz", one=np.array([{}], object))
    assert "holds Python objects" in refusal(capsys, "objects.npz", "--text", "text.txt")
    for name, arrays, message in (
        ("nan.npz", good | {"rnn/basic_lstm_cell/bias": np.full(4 * H, np.nan)}, "basic_lstm_cell/bias: holds numbers"),
        (
            "shape.npz",
            good | {"rnn/basic_lstm_cell/bias": drawn(3 * H)},
            "cell: expected a bias of shape (20,)",
        ),
        ("gates.npz", {"rnn/gru_cell/gates/kernel": drawn(9, 10)}, "gru_cell: lacks candidate/kernel"),
        ("kernel.npz", good | {"rnn/basic_lstm_cell/kernel": drawn(3, 4 * H)}, "got shape (3, 20)"),
    ):
        np.savez(name, **arrays)
        assert message in refusal(capsys, name, "--text", "text.txt"), name
