"""Forecasts brought back to the targets' own units."""

import numpy as np
import pytest
import torch
from torch import nn

from ostinato.data.series.reading import SeriesColumns, read_series
from ostinato.data.series.scaling import Transform
from ostinato.data.series.windows import Shape, Windows
from ostinato.tasks.forecast.decoding import forecast
from ostinato.tasks.forecast.model import Forecaster

W, H, M = 6, 4, 3


@pytest.fixture
def windows():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    t = np.arange(30)
    table = {"a": np.exp(0.03 * t) * (5 + t % M), "b": 100.0 + 2 * t + 9 * (t % M)}
    series, spacing = read_series(table, SeriesColumns(("a", "b")), str)
    shape = Shape(W, H, M, spacing, (Transform(log=True), Transform()))
    return Windows(series, np.array([[0.2, 4.0]]), shape, [np.arange(20, 31)])


def made(windows, **options):
    shape = windows.shape
    return Forecaster(shape.past_size, shape.known_size, 2, shape.bases, 8, **options)


def test_a_model_that_trusts_a_simple_forecast_gives_it_in_its_units(windows):
    model = made(windows)
    nn.init.constant_(model.weights.bias, -50)
    with torch.no_grad():
        model.weights.bias.view(2, -1)[:, 4] = 50  # the level of the last season plus the seasonal profile
    found = forecast(model, windows)
    assert found.quantiles is None
    t = np.arange(20, 31)[:, None] + np.arange(H)
    np.testing.assert_allclose(found.point[..., 0], np.exp(0.03 * t) * (5 + t % M), rtol=1e-4)
    np.testing.assert_allclose(found.point[..., 1], 100 + 2 * t + 9 * (t % M), rtol=1e-4)


@pytest.mark.parametrize("head", ["quantile", "gaussian", "student"])
def test_quantiles_are_undone_like_the_point(windows, head):
    model = made(windows, head=head)
    found = forecast(model, windows, (0.1, 0.5, 0.9))
    inputs = windows.inputs(np.arange(len(windows)))
    with torch.no_grad():
        high = model.eval()(inputs.past, **inputs.arguments()).quantile(0.9) * inputs.scale + inputs.centre
    np.testing.assert_allclose(found.quantiles[..., 0, 2], high[..., 0].exp().T, rtol=1e-4)
    np.testing.assert_allclose(found.quantiles[..., 1, 2], high[..., 1].T, rtol=1e-4)
    np.testing.assert_allclose(found.quantiles[..., 1], found.point, rtol=1e-6)
    assert (np.diff(found.quantiles, axis=-1) > 0).all()


def test_drawn_paths_give_nearly_the_quantiles_of_the_first_step(windows):
    model = made(windows, head="gaussian", autoregressive=True)
    found = forecast(model, windows, (0.1, 0.9), seed=3)
    again = forecast(model, windows, (0.1, 0.9), seed=3)
    np.testing.assert_array_equal(found.quantiles, again.quantiles)
    inputs = windows.inputs(np.arange(len(windows)))
    with torch.no_grad():
        output = model.eval()(inputs.past, **inputs.arguments())
        width = (output.quantile(0.9) - output.quantile(0.1))[0, :, 1] * inputs.scale[:, 1]
    drawn = found.quantiles[:, 0, 1, 1] - found.quantiles[:, 0, 1, 0]
    assert np.mean(drawn / width.numpy()) == pytest.approx(1, abs=0.06)


def test_dropout_is_off_and_the_mode_put_back(windows):
    model = made(windows, dropout=0.5).train()
    nn.init.normal_(model.correction.weight)
    first, second = forecast(model, windows), forecast(model, windows)
    np.testing.assert_array_equal(first.point, second.point)
    assert model.training


def test_progress_is_told(windows):
    told = []
    forecast(made(windows), windows, progress=lambda *at: told.append(at))
    assert told == [(11, 11)]


@pytest.mark.parametrize("level", [1e8 + 3, 3e9 + 7])
def test_a_high_level_loses_nothing(level):
    """The same model of the same series, one of them raised: the forecast is raised by as much."""
    torch.manual_seed(0)
    found = []
    for raised in (0.0, level):
        series, spacing = read_series({"a": raised + np.sin(np.arange(30))}, SeriesColumns(("a",)), str)
        windows = Windows(series, np.array([[1.0]]), Shape(W, H, M, spacing, (Transform(),)), [np.array([20])])
        if not found:
            model = Forecaster(windows.shape.past_size, windows.shape.known_size, 1, windows.shape.bases, 8)
        found.append(forecast(model, windows).point - raised)
    np.testing.assert_allclose(*found, atol=1e-5)


def test_what_fails_leaves_the_model_in_training(windows):
    model = made(windows).train()

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        forecast(model, windows, progress=stop)
    assert model.training
