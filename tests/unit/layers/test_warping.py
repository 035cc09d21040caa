"""Warping of sequences: how far it goes, and what it leaves alone."""

import torch

from ostinato.layers.warping import warped

LENGTHS = torch.tensor([40, 17, 2, 1, 0])


def ramps():
    """`[T, N, 2]`: the step's number in one channel, nothing in the other; NaN behind the end."""
    x = torch.zeros(40, 5, 2)
    x[:, :, 0] = torch.arange(40.0)[:, None]
    return x.masked_fill((torch.arange(40)[:, None] >= LENGTHS)[..., None], torch.nan)


def test_nothing_of_it_is_nothing():
    x = torch.randn(9, 2, 3)
    assert warped(x, torch.tensor([9, 4]), 0.0) is x
    near = warped(x, torch.tensor([9, 9]), 1e-6)
    torch.testing.assert_close(near, x, rtol=0, atol=1e-4)


def test_a_sequence_is_read_onwards_and_from_itself_alone():
    torch.manual_seed(0)
    uneven = begun = ended = 0
    for _ in range(50):
        found = warped(ramps(), LENGTHS, 1.0)
        for row, length in enumerate(LENGTHS.tolist()):
            own = found[:length, row]
            assert own.isfinite().all()
            assert not own[:, 1].any()
            assert (own[:, 0] >= 0).all()
            assert (own[:, 0] <= length - 1 + 1e-4).all()
            assert (own[:, 0].diff() >= 0).all()
        first = found[:, 0, 0]
        begun, ended = max(begun, first[0].item()), min(ended, first[-1].item() - 39)
        uneven = max(uneven, (first.diff().max() / first.diff().min()).item())
    assert 0.5 * 0.15 * 39 < begun < 0.15 * 39
    assert -0.15 * 39 < ended < -0.5 * 0.15 * 39
    assert 1.5 < uneven < 10


def test_it_follows_from_torchs_random_numbers():
    x = torch.randn(30, 3, 2)
    lengths = torch.tensor([30, 20, 10])
    torch.manual_seed(4)
    first, second = warped(x, lengths, 1.0), warped(x, lengths, 1.0)
    torch.manual_seed(4)
    again = warped(x, lengths, 1.0)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert first.dtype == x.dtype
