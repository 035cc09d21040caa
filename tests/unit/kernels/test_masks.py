"""Masks of dropout: their share; the same on every instruction set, by any number of threads; other ones each time."""

import pytest
import torch

from ostinato import kernels
from ostinato.layers.dropout import mask
from ostinato.native import library as native_library

LOADED = native_library.load()
SUPPORTED = [] if isinstance(LOADED, str) else LOADED.supported

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the native library was not built")


def drawn(size, rate=0.3, seed=1):
    torch.manual_seed(seed)
    into = torch.full((size,), float("nan"))
    assert kernels.fill_mask(into, rate)
    return into


@pytest.mark.parametrize("size", [1, 15, 17, 4096, 50_003])
def test_the_same_on_every_instruction_set_and_by_any_number_of_threads(size, monkeypatch):
    expected = drawn(size)
    for isa in SUPPORTED:
        monkeypatch.setattr(LOADED, "isa", isa)
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert torch.equal(drawn(size), expected)


@pytest.mark.parametrize("rate", [1e-9, 0.001, 0.3, 0.5, 0.999])
def test_share_and_mean(rate):
    size = 2_000_000
    found = drawn(size, rate)
    zero = found == 0
    deviation = (rate * (1 - rate) / size) ** 0.5
    assert abs(zero.double().mean().item() - rate) < 5 * deviation + 1e-9
    assert torch.equal(found[~zero], torch.full_like(found[~zero], 1 / (1 - rate)))


def test_numbers_do_not_depend_on_one_another():
    size = 1_000_000
    signs = [1 - 2 * (drawn(size, 0.5, seed) == 0).double() for seed in (1, 2)]
    pairs = [(signs[0], signs[1])] + [(signs[0][lag:], signs[0][:-lag]) for lag in (1, 2, 15, 16, 17, 4095, 4096, 4097)]
    for one, other in pairs:
        assert abs((one * other).mean().item()) < 5 / size**0.5


def test_a_seed_repeats_and_every_call_is_another():
    torch.manual_seed(3)
    first, second = (mask(torch.empty(9, 100), 0.5) for _ in range(2))
    torch.manual_seed(3)
    assert torch.equal(mask(torch.empty(9, 100), 0.5), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("other", [torch.empty(4, 6, dtype=torch.float64), torch.empty(4, 6).T], ids=["float64", "T"])
def test_what_the_library_does_not_fill(other):
    before = torch.get_rng_state()
    assert not kernels.fill_mask(other, 0.5)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_mask_the_library_refuses():
    with pytest.raises(ValueError, match="n=-1"):
        LOADED.fill_mask(0, -1, 1, 0, 1.0, 1)
