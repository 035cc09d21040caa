"""The choice of one token, against probabilities worked out by hand."""

import math

import pytest
import torch

from ostinato.tasks.lm.options import SamplingOptions
from ostinato.tasks.lm.sampling import choose, uniform

#: Probabilities 0.5, 0.25, 0.125, 0.0625, 0.0625, in another order and with a constant added to every score.
SHARES = {3: 1 / 2, 0: 1 / 4, 4: 1 / 8, 1: 1 / 16, 2: 1 / 16}
LOGITS = torch.tensor([math.log(SHARES[token]) for token in range(5)]) + 17.0
DRAWS = 4000


def drawn(**options):
    """How often each token was chosen."""
    numbers = uniform(1)
    chosen = [choose(LOGITS.clone(), SamplingOptions(**options), numbers) for _ in range(DRAWS)]
    return torch.bincount(torch.tensor(chosen), minlength=5).tolist()


def expect(counts, shares):
    """Nothing but what may come, and Pearson's chi-square below its 99.9 % point."""
    assert {token for token, count in enumerate(counts) if count} == set(shares)
    total = sum(shares.values())
    square = sum((counts[t] - DRAWS * p / total) ** 2 / (DRAWS * p / total) for t, p in shares.items())
    assert square < {1: 0.1, 2: 10.83, 3: 13.82, 4: 16.27, 5: 18.47}[len(shares)]


def test_plain_draws_follow_the_probabilities():
    expect(drawn(), SHARES)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_temperature_is_a_power_of_the_probabilities(temperature):
    expect(drawn(temperature=temperature), {token: p ** (1 / temperature) for token, p in SHARES.items()})


@pytest.mark.parametrize(("k", "left"), [(1, [3]), (2, [3, 0]), (3, [3, 0, 4]), (5, list(SHARES)), (50, list(SHARES))])
def test_top_k_keeps_the_best_k_in_their_proportions(k, left):
    expect(drawn(top_k=k), {token: SHARES[token] for token in left})


@pytest.mark.parametrize(
    ("p", "left"),
    [
        (0.01, [3]),
        (0.499, [3]),
        (0.51, [3, 0]),
        (0.74, [3, 0]),
        (0.76, [3, 0, 4]),
        (0.999, list(SHARES)),
        (1.0, list(SHARES)),
    ],
)
def test_top_p_keeps_the_fewest_that_make_up_p(p, left):
    expect(drawn(top_p=p), {token: SHARES[token] for token in left})


def test_top_k_comes_before_top_p_and_the_temperature_before_both():
    """The best three of five at temperature 2: 1/sqrt(2), 1/2, 1/sqrt(8), so 0.453, 0.320, 0.227 of the whole."""
    three = {token: SHARES[token] ** 0.5 for token in (3, 0, 4)}
    expect(drawn(temperature=2.0, top_k=3, top_p=0.78), three)
    expect(drawn(temperature=2.0, top_k=3, top_p=0.76), {token: three[token] for token in (3, 0)})


def test_greedy_is_the_best_whatever_else_is_said():
    numbers = uniform(None)
    options = SamplingOptions(greedy=True, temperature=100.0, top_k=4, top_p=0.99)
    assert {choose(LOGITS, options, numbers) for _ in range(20)} == {3}


@pytest.mark.parametrize("temperature", [1e-3, 1e-20, 1e-50])
def test_near_zero_the_temperature_is_greedy(temperature):
    numbers = uniform(0)
    options = SamplingOptions(temperature=temperature)
    assert {choose(LOGITS * 100, options, numbers) for _ in range(50)} == {3}


def test_at_a_huge_temperature_all_that_is_allowed_is_equally_likely():
    logits = LOGITS.clone()
    logits[0] = -torch.inf
    numbers = uniform(1)
    chosen = [choose(logits, SamplingOptions(temperature=1e30), numbers) for _ in range(DRAWS)]
    expect(torch.bincount(torch.tensor(chosen), minlength=5).tolist(), dict.fromkeys((1, 2, 3, 4), 1 / 4))


@pytest.mark.parametrize("options", [{}, {"top_k": 4}, {"top_p": 0.99}, {"temperature": 50.0}, {"greedy": True}])
def test_what_is_forbidden_never_comes(options):
    logits = LOGITS.clone()
    logits[3] = -torch.inf
    numbers = uniform(1)
    assert 3 not in {choose(logits, SamplingOptions(**options), numbers) for _ in range(500)}


@pytest.mark.parametrize(("number", "token"), [(0.0, 1), (0.25, 3), (1 - 2**-53, 3)])
def test_the_ends_of_a_draw_belong_to_what_is_allowed(number, token):
    """A number at which one token's share ends belongs to the next, so that one without a share is never met."""
    logits = torch.tensor([-torch.inf, 0.0, -torch.inf, math.log(3.0), -torch.inf])
    assert choose(logits, SamplingOptions(), iter([number])) == token
