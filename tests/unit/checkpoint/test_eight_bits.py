"""Matrices of weights files in 8 bits."""

import pytest
import torch

from ostinato.checkpoint import RunFolder, eight_bits
from ostinato.core.errors import RunFolderError


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    found = {"matrix": torch.randn(40, 50), "small": torch.randn(3, 4), "bias": torch.randn(5000)}
    found["matrix"][3] = 0
    return found


def test_numbers_are_off_by_half_a_step_at_most():
    before = tensors()
    written = eight_bits.encoded(before)
    assert written["matrix"].dtype == torch.int8
    after = eight_bits.restored(written)
    assert after.keys() == before.keys()
    step = before["matrix"].abs().amax(1, keepdim=True) / 127
    assert ((after["matrix"] - before["matrix"]).abs() <= step * 0.5001).all()
    assert torch.equal(after["small"], before["small"])
    assert torch.equal(after["bias"], before["bias"])


def test_what_is_written_again_is_the_same():
    written = eight_bits.encoded(tensors())
    again = eight_bits.encoded(eight_bits.restored(written))
    assert torch.equal(written["matrix"], again["matrix"])


def test_shapes_are_those_of_the_model():
    there = {"matrix": ("I8", (40, 50)), "matrix.scale": ("F32", (40,)), "bias": ("F32", (7,))}
    assert eight_bits.restored_shapes(there) == {"matrix": ("F32", (40, 50)), "bias": ("F32", (7,))}
    with pytest.raises(RunFolderError, match=r"matrix\.scale: expected F32 of shape \(40,\)"):
        eight_bits.restored_shapes(there | {"matrix.scale": ("F32", (41,))})


def test_a_model_is_read_from_a_folder_of_8_bits(tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Linear(40, 50)
    (tmp_path / "run").mkdir()
    run = RunFolder(tmp_path / "run").start({"task": "lm", "model": {}})
    run.save_weights(model)
    to = tmp_path / "copy"
    to.mkdir()
    run.copy_in_eight_bits(to, model)
    copy, other = RunFolder(to), torch.nn.Linear(40, 50)
    assert copy.read_config()["weights"] == "int8"
    copy.load_weights(other)
    assert 0 < (other.weight - model.weight).abs().max() < 0.51 * model.weight.abs().max() / 127
    assert copy.weights.stat().st_size < run.weights.stat().st_size / 2
