"""Forecasts beyond the horizon."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ostinato.core.errors import ConfigError
from ostinato.data.series.codec import SeriesCodec
from ostinato.data.series.reading import SeriesColumns, read_series
from ostinato.tasks.forecast.continuing import continued
from ostinato.tasks.forecast.decoding import forecast
from ostinato.tasks.forecast.model import Forecaster

W, H = 6, 4
SHARES = (0.1, 0.5, 0.9)


def walk(rows=200, seed=0, **columns):
    rng = np.random.default_rng(seed)
    return {"y": 100 + np.cumsum(rng.normal(size=rows)), **columns}


def codec_and_series(table=None, columns=None, season=1):
    columns = columns or SeriesColumns(("y",))
    series, spacing = read_series(table or walk(), columns, str)
    return SeriesCodec.learn(series, spacing, columns, window=W, horizon=H, season=season, log=False), series


def made(codec, head="gaussian", **options):
    torch.manual_seed(0)
    shape = codec.shape
    return Forecaster(shape.past_size, shape.known_size, 1, shape.bases, 8, head=head, **options)


def last_value(codec, spread):
    """A model that forecasts the last value, with a normal distribution of this deviation (scaled) at every step."""
    model = made(codec)
    for layer in (model.weights, model.correction):
        nn.init.zeros_(layer.weight)
    with torch.no_grad():
        model.weights.bias.copy_(torch.tensor([50.0, -50, -50]))
        model.correction.bias.copy_(torch.tensor([0.0, np.log(np.expm1(spread - 1e-3))]))
    return model


@pytest.mark.parametrize("head", ["point", "quantile", "gaussian", "student"])
@pytest.mark.parametrize("autoregressive", [False, True])
def test_up_to_the_horizon_it_is_the_forecast(head, autoregressive):
    codec, series = codec_and_series()
    model = made(codec, head, autoregressive=autoregressive)
    plain = forecast(model, codec.windows(series, [np.array([200])]), SHARES)
    for steps in (2, H, 2 * H + 1):
        found = continued(model, codec, series, steps, SHARES)
        assert found.point.shape == (1, steps, 1)
        np.testing.assert_array_equal(found.point[:, :H], plain.point[:, :steps])
        if head == "point":
            assert found.quantiles is None
            continue
        np.testing.assert_array_equal(found.quantiles[:, :H], plain.quantiles[:, :steps])
        assert (np.diff(found.quantiles, axis=-1) >= 0).all()
        np.testing.assert_allclose(found.quantiles[..., 1], found.point, rtol=1e-6)


def test_further_steps_are_forecast_from_those_before():
    codec, series = codec_and_series()
    model = made(codec, "point")
    nn.init.normal_(model.correction.weight)
    found = continued(model, codec, series, 3 * H).point[0]
    for block in range(3):
        before = replace(series[0], target=np.concatenate([series[0].target, found[: block * H]]))
        alone = forecast(model, codec.windows([before], [np.array([len(before)])])).point[0]
        np.testing.assert_allclose(found[block * H : (block + 1) * H], alone, rtol=1e-6)


def test_what_is_uncertain_adds_up_over_blocks():
    """Of a random walk whose blocks are independent, the variance after n blocks is n times one block's."""
    codec, series = codec_and_series()
    found = continued(last_value(codec, 0.7), codec, series, 9 * H, (0.1, 0.9))
    widths = np.diff(found.quantiles[0, :, 0], axis=-1)[:, 0]
    scale = codec.scales(series)[0, 0]
    np.testing.assert_allclose(widths[:H], 2 * 1.2815515 * 0.7 * scale, rtol=1e-5)
    for blocks in (4, 9):
        assert widths[blocks * H - 1] / widths[0] == pytest.approx(np.sqrt(blocks), rel=0.2)
    np.testing.assert_allclose(found.point[0, :, 0], series[0].target[-1, 0], rtol=1e-6)


def test_only_recent_rows_are_copied_and_change_nothing():
    """A thousand rows with a season, a covariate that was last known long ago: as if nothing were left out."""
    rows = 1000
    sky = ["blue"] + [""] * (rows - 1)
    table = {**walk(rows), "sky": sky, "price": np.random.default_rng(1).uniform(size=rows)}
    table["y"][-60:-50] = np.nan
    codec, series = codec_and_series(table, SeriesColumns(("y",), past=("sky", "price")), season=3)
    model = made(codec, "point")
    nn.init.normal_(model.correction.weight)
    found = continued(model, codec, series, 2 * H).point[0]
    whole = replace(series[0], target=np.concatenate([series[0].target, found[:H]]))
    np.testing.assert_allclose(
        found[H:], forecast(model, codec.windows([whole], [np.array([len(whole)])])).point[0], rtol=1e-6
    )


def test_quantiles_that_take_too_many_paths_are_refused():
    codec, series = codec_and_series()
    model = made(codec, autoregressive=True)
    with pytest.raises(ConfigError, match="a quantile of 1e-05 would take 200,000 paths, more than 20,000"):
        continued(model, codec, series, H, (1e-5,))
