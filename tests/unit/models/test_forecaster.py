"""The forecaster against one put together from torch.nn, its distributions against torch's own."""

import math
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ostinato.core.errors import ConfigError
from ostinato.tasks.forecast.ahead import QUANTILES
from ostinato.tasks.forecast.heads.student import student_quantile
from ostinato.tasks.forecast.model import Forecaster, ForecastOutput

W, H, N, D, FEATURES, K, C, UNITS = 7, 5, 3, 4, 2, 2, 3, 6


class Inputs(NamedTuple):
    past: torch.Tensor
    known: torch.Tensor
    bases: torch.Tensor
    before: torch.Tensor


@pytest.fixture
def inputs():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = ((W, N, D), (H, N, FEATURES), (H, N, K, C), (H, N, K))
    return Inputs(*(torch.randn(*size, dtype=torch.float64) for size in sizes))


def made(cell="lstm", head="point", **options):
    model = Forecaster(D, FEATURES, K, C, UNITS, cell=cell, head=head, **options).double()
    for layer in (model.weights, model.correction):  # otherwise zero, and nothing to see
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    return model


@pytest.mark.parametrize("autoregressive", [False, True], ids=["direct", "autoregressive"])
@pytest.mark.parametrize(("cell", "kind"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_the_forecast_and_its_gradients_are_torchs(inputs, cell, kind, autoregressive):
    model = made(cell, num_layers=2, autoregressive=autoregressive)
    encoder, decoder = kind(D, UNITS, 2).double(), kind(model.decoder.input_size, UNITS, 2).double()
    encoder.load_state_dict(model.encoder.state_dict())
    decoder.load_state_dict(model.decoder.state_dict())
    fed = [inputs.known, inputs.bases.reshape(H, N, K * C)] + [inputs.before] * autoregressive
    hidden, _ = decoder(torch.cat(fed, -1), encoder(inputs.past)[1])
    weights = torch.softmax(model.weights(hidden).view(H, N, K, C), -1)
    expected = torch.einsum("hnkc,hnkc->hnk", weights, inputs.bases) + model.correction(hidden)
    found = model(*inputs).location
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    for ours, theirs in ((model.encoder, encoder), (model.decoder, decoder)):
        for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, msg=name)


def test_untrained_it_is_the_mean_of_the_simple_forecasts_or_weighs_them_by_their_errors(inputs):
    model = Forecaster(D, FEATURES, K, C, UNITS).double()
    torch.testing.assert_close(model(*inputs).location, inputs.bases.mean(-1))
    errors = torch.tensor([[1.0, 2.0, 4.0], [0.5, 0.5, 1.0]], dtype=torch.float64)
    model.begin_from(errors)
    share = errors**-2 / (errors**-2).sum(-1, keepdim=True)
    torch.testing.assert_close(model(*inputs).location, (inputs.bases * share).sum(-1))


@pytest.mark.parametrize("head", ["point", "quantile", "gaussian", "student"])
def test_step_by_step_is_the_same_as_being_told_its_own_forecasts(inputs, head):
    model = made(head=head, autoregressive=True)
    found = model.step_by_step(*inputs, sample=False)
    told = torch.cat([inputs.before[:1], found.location[:-1]])
    expected = model(*inputs._replace(before=told))
    torch.testing.assert_close(found.location, expected.location)
    torch.testing.assert_close(found.parameters, expected.parameters)
    unknown = inputs.before.clone()
    unknown[1:] = torch.nan
    again = model.step_by_step(*inputs._replace(before=unknown), sample=False)
    torch.testing.assert_close(again.location, found.location)


def test_paths_are_drawn_from_the_distribution(inputs):
    model = made(head="gaussian", autoregressive=True)
    many = Inputs(*(part[:, :1].repeat_interleave(20_000, 1) for part in inputs))
    first = model.step_by_step(*many, sample=True).location[0, :, 0]
    with torch.no_grad():
        output = model(*inputs)
    assert float(first.mean()) == pytest.approx(float(output.location[0, 0, 0]), abs=0.05)
    assert float(first.std()) == pytest.approx(float(output.parameters[0, 0, 0, 0]), rel=0.03)


def test_quantiles_ascend_and_the_median_is_the_point(inputs):
    output = made(head="quantile")(*inputs)
    assert (output.parameters.diff(dim=-1) > 0).all()
    for place, share in enumerate(QUANTILES):
        torch.testing.assert_close(output.quantile(share), output.parameters[..., place])
    torch.testing.assert_close(output.quantile(0.5), output.location)
    low, high = output.quantile(0.5), output.quantile(0.75)
    torch.testing.assert_close(output.quantile(0.6), low + 0.4 * (high - low))


def test_beyond_the_outermost_quantiles_the_tails_are_exponential(inputs):
    """In an exponential tail a quantile ten times as rare is as much further away each time."""
    output = made(head="quantile")(*inputs)
    q = {share: output.parameters[..., place] for place, share in enumerate(QUANTILES)}
    rate = (q[0.1] - q[0.025]) / math.log(4)
    torch.testing.assert_close(output.quantile(0.01), q[0.025] - rate * math.log(2.5))
    torch.testing.assert_close(output.quantile(0.001), output.quantile(0.01) - rate * math.log(10))
    rate = (q[0.975] - q[0.9]) / math.log(4)
    torch.testing.assert_close(output.quantile(0.999), q[0.975] + rate * math.log(25), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("head", ["quantile", "gaussian", "student"])
def test_each_window_can_have_a_share_of_its_own(inputs, head):
    output = made(head=head)(*inputs)
    shares = torch.linspace(0.01, 0.93, output.location.shape[1], dtype=torch.float64)
    found = output.quantile(shares[:, None])
    for number, share in enumerate(shares.tolist()):
        torch.testing.assert_close(found[:, number], output.quantile(share)[:, number])


def test_the_gaussians_quantiles_are_torchs(inputs):
    output = made(head="gaussian")(*inputs)
    normal = torch.distributions.Normal(output.location, output.parameters[..., 0])
    for share in (0.025, 0.1, 0.5, 0.9):
        torch.testing.assert_close(output.quantile(share), normal.icdf(torch.tensor(share, dtype=torch.float64)))


@pytest.mark.parametrize(
    ("freedom", "share", "expected"),  # tables of Student's t
    [(3.0, 0.9, 1.63774), (3.0, 0.975, 3.18245), (5.0, 0.95, 2.01505), (10.0, 0.9, 1.37218), (120.0, 0.975, 1.97993)],
)
def test_students_quantiles_are_the_tables(freedom, share, expected):
    found = student_quantile(torch.tensor([freedom], dtype=torch.float64), share)
    assert float(found) == pytest.approx(expected, rel=1e-3)
    below = student_quantile(torch.tensor([freedom], dtype=torch.float64), 1 - share)
    assert float(below) == pytest.approx(-expected, rel=1e-3)


def test_students_samples_fall_below_its_quantiles(inputs):
    output = made(head="student")(*inputs)
    many = ForecastOutput("student", output.location.expand(2000, H, N, K), output.parameters.expand(2000, H, N, K, 2))
    share = (many.sample() < output.quantile(0.9)).double().mean()
    assert float(share) == pytest.approx(0.9, abs=0.01)


def test_a_scale_is_above_zero_and_freedom_above_two(inputs):
    for head in ("gaussian", "student"):
        model = made(head=head)
        nn.init.constant_(model.correction.bias, -100)
        parameters = model(*inputs).parameters
        assert (parameters > 0).all()
        assert head == "gaussian" or (parameters[..., 1] >= 2).all()


def test_what_is_refused(inputs):
    with pytest.raises(ConfigError, match="head: expected one of gaussian, point, quantile, student, got 'cauchy'"):
        Forecaster(D, FEATURES, K, C, UNITS, head="cauchy")
    with pytest.raises(ConfigError, match="no quantiles; train with --head"):
        made()(*inputs).quantile(0.9)


def test_softplus_is_the_distance_between_quantiles(inputs):
    """What the head computes, once more by hand."""
    model = made(head="quantile")
    _, state = model.encoder(inputs.past)
    hidden, _ = model.decoder(torch.cat([inputs.known, inputs.bases.flatten(2)], -1), state)
    raw = model.correction(hidden).view(H, N, K, 8)[..., 1:]
    output = model(*inputs)
    torch.testing.assert_close(
        output.parameters[..., 5] - output.location, F.softplus(raw[..., 4]) + F.softplus(raw[..., 5])
    )
    torch.testing.assert_close(output.location - output.parameters[..., 2], F.softplus(raw[..., 2]))
    assert math.isclose(sum(QUANTILES), len(QUANTILES) / 2)
