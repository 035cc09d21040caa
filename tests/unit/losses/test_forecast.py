"""Losses of forecasts against SciPy, plain loops, and what each is least at."""

from typing import NamedTuple

import pytest
import torch

from ostinato.core.batch import Batch
from ostinato.tasks.forecast.ahead import QUANTILES
from ostinato.tasks.forecast.heads import forecast_loss
from ostinato.tasks.forecast.heads.quantile import pinball

stats = pytest.importorskip("scipy.stats", reason="scikit-learn brings it")

SHAPE = (4, 3, 2)


class Output(NamedTuple):
    head: str
    location: torch.Tensor
    parameters: torch.Tensor


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


def test_pinball_is_the_textbooks():
    quantiles, targets = torch.randn(*SHAPE, 7, dtype=torch.float64), torch.randn(*SHAPE, dtype=torch.float64)
    found = pinball(quantiles, targets, QUANTILES)
    for index in range(targets.numel()):
        y = float(targets.flatten()[index])
        for place, q in enumerate(QUANTILES):
            f = float(quantiles.flatten(0, -2)[index, place])
            expected = q * (y - f) if y >= f else (1 - q) * (f - y)
            assert float(found.flatten(0, -2)[index, place]) == pytest.approx(expected)


def test_pinball_is_least_at_the_quantile():
    sample = torch.distributions.Exponential(torch.tensor(1.0, dtype=torch.float64)).sample((20_000,))
    candidates = torch.linspace(0, 4, 401, dtype=torch.float64)
    for q in (0.1, 0.5, 0.9):
        losses = [float(pinball(c.expand(len(sample), 1), sample, (q,)).mean()) for c in candidates]
        best = float(candidates[torch.tensor(losses).argmin()])
        assert best == pytest.approx(float(-torch.log(torch.tensor(1 - q))), abs=0.06)


def test_likelihoods_are_scipys():
    location, targets = torch.randn(2, *SHAPE, dtype=torch.float64)
    scale, freedom = torch.rand(2, *SHAPE, dtype=torch.float64) + 0.1
    freedom = 2 + 10 * freedom
    batch = Batch(None, targets)
    found = forecast_loss(Output("gaussian", location, scale.unsqueeze(-1)), batch)
    assert float(found) == pytest.approx(-stats.norm.logpdf(targets, location, scale).mean(), rel=1e-12)
    found = forecast_loss(Output("student", location, torch.stack([scale, freedom], -1)), batch)
    assert float(found) == pytest.approx(-stats.t.logpdf(targets, freedom, location, scale).mean(), rel=1e-12)


@pytest.mark.parametrize(("head", "count"), [("point", 0), ("quantile", 7), ("gaussian", 1), ("student", 2)])
def test_missing_targets_weigh_nothing_even_where_nothing_is_finite(head, count):
    parameters = (torch.rand(*SHAPE, count) + 2.5).requires_grad_()
    location, targets = torch.randn(SHAPE).requires_grad_(), torch.randn(SHAPE)
    weights = (torch.rand(SHAPE) > 0.4).float()
    known = weights > 0
    alone = forecast_loss(Output(head, location[known], parameters[known]), Batch(None, targets[known]))
    spoilt = torch.where(known, targets, torch.nan)
    loss = forecast_loss(Output(head, location, parameters), Batch(None, spoilt, None, weights))
    torch.testing.assert_close(loss, alone)
    loss.backward()
    used = parameters if head == "quantile" else location
    assert used.grad.isfinite().all()
    assert not used.grad[~known].any()


def test_the_point_loss_is_the_absolute_error():
    output = Output("point", torch.tensor([[[1.0], [5.0]]]), torch.zeros(1, 2, 1, 0))
    loss = forecast_loss(output, Batch(None, torch.tensor([[[2.0], [2.0]]])))
    assert float(loss) == pytest.approx((1 + 3) / 2, abs=0.006)


def test_without_any_known_target_the_loss_is_zero():
    output = Output("point", torch.ones(SHAPE), torch.zeros(*SHAPE, 0))
    assert float(forecast_loss(output, Batch(None, torch.full(SHAPE, torch.nan), None, torch.zeros(SHAPE)))) == 0
