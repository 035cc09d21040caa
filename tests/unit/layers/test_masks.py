"""Masks of dropout: the share, the scale, and that no element tells of another."""

import pytest
import torch

from ostinato.core.errors import ConfigError
from ostinato.layers.dropout import dropout, mask, word_mask
from ostinato.tasks.lm.model import LanguageModel

M = 400_000


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


@pytest.mark.parametrize("rate", [1e-3, 0.1, 0.3, 0.5, 0.75, 0.999])
def test_share_and_scale(rate):
    drawn = mask(torch.empty(M, dtype=torch.float64), rate)
    spread = (rate * (1 - rate) / M) ** 0.5
    assert abs((drawn == 0).double().mean() - rate) < 4 * spread
    torch.testing.assert_close(
        drawn.unique(), torch.tensor([0, 1 / (1 - rate)], dtype=torch.float64), rtol=1e-15, atol=0
    )
    assert abs(drawn.mean() - 1) < 4 * spread / (1 - rate), "the mean stays"


@pytest.mark.parametrize("among", [2**18, 2**16 / 1.5])
def test_a_share_between_two_steps_of_sixteen_bits(among):
    count = 1 << 24
    expected = count / among
    assert abs((mask(torch.empty(count), 1 / among) == 0).sum() - expected) < 4 * expected**0.5


def test_every_place_in_a_word_of_bits_has_the_same_share():
    """Two or four elements come from one integer; none of its parts may be short of a bit."""
    for rate in (0.25, 0.5, 0.9, 1 / 3):
        shares = (mask(torch.empty(M // 4, 4), rate) == 0).float().mean(0)
        assert (shares - rate).abs().max() < 4 * (rate * (1 - rate) / (M / 4)) ** 0.5


def test_neighbours_are_independent():
    for rate in (0.5, 0.4):
        zero = (mask(torch.empty(M), rate) == 0).float() - rate
        for lag in (1, 2, 3, 4, 5, 8, 100):
            assert abs((zero[lag:] * zero[:-lag]).mean()) < 4 * rate * (1 - rate) / M**0.5


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 7), (0, 4), (2, 3, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_any_shape_and_dtype(shape, dtype):
    drawn = mask(torch.empty(shape, dtype=dtype), 0.5)
    assert (drawn.shape, drawn.dtype) == (shape, dtype)
    assert set(drawn.flatten().tolist()) <= {0.0, 2.0}


def test_the_same_random_numbers_the_same_mask():
    before = torch.get_rng_state()
    first, second = mask(torch.empty(100), 0.5), mask(torch.empty(100), 0.5)
    torch.set_rng_state(before)
    assert torch.equal(mask(torch.empty(100), 0.5), first)
    assert not torch.equal(first, second)


def test_output_gradient_and_off():
    x = torch.randn(6, 3, 4, requires_grad=True)
    y = dropout(x, 0.5)
    y.sum().backward()
    torch.testing.assert_close(y, x * x.grad)
    assert set(x.grad.flatten().tolist()) == {0.0, 2.0}
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0) is x
    assert not dropout(x, 1.0).any()


def test_locked_is_the_same_at_all_steps_and_words_at_all_places():
    held = dropout(torch.ones(9, 5, 40), 0.5, locked=True)
    assert (held == held[0]).all()
    assert (held[0, 0] != held[0, 1]).any()
    words = word_mask(1000, 0.2, torch.empty(1, dtype=torch.float64))
    assert words.shape == (1000,)
    assert 150 < (words == 0).sum() < 250


@pytest.mark.parametrize("locked", [False, True])
def test_sequences_of_no_steps(locked):
    x = torch.ones(0, 3, 4, requires_grad=True)
    y = dropout(x, 0.5, locked=locked)
    y.sum().backward()
    assert y.shape == x.grad.shape == (0, 3, 4)


@pytest.mark.parametrize("rate", [-0.1, 1.2, float("nan")])
def test_a_share_that_is_none_is_refused(rate):
    says = f"expected 0 to 1, got {rate}"
    with pytest.raises(ValueError, match=says):
        mask(torch.empty(3), rate)
    for name in ("dropout", "input_dropout", "hidden_dropout", "output_dropout", "embedding_dropout"):
        with pytest.raises(ConfigError, match=f"{'input_dropout' if name == 'dropout' else name} .*{says}"):
            LanguageModel(9, 4, 4, **{name: rate})
