"""Windows against slices taken one by one, in plain loops."""

import numpy as np
import pytest

from ostinato.data.series.covariates import Coding
from ostinato.data.series.reading import SeriesColumns, read_series
from ostinato.data.series.scaling import Transform
from ostinato.data.series.times import calendar
from ostinato.data.series.windows import SEASONS, Shape, Windows
from ostinato.tasks.forecast.figures import windowed

W, H = 5, 3


def table(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    y = 20 + np.cumsum(rng.normal(size=rows))
    y[[7, 8, 21]] = np.nan
    return {
        "shop": ["a"] * (rows - 12) + ["b"] * 12,
        "month": [f"{1990 + t // 12}-{t % 12 + 1:02d}" for t in (*range(rows - 12), *range(12))],
        "y": y,
        "z": rng.normal(size=rows),
        "price": rng.uniform(size=rows),
        "sky": rng.choice(["blue", "grey"], size=rows).tolist(),
        "town": ["x"] * (rows - 12) + ["y"] * 12,
    }


COLUMNS = SeriesColumns(("y", "z"), ("month",), ("shop",), past=("sky",), future=("price",), static=("town",))


@pytest.fixture(params=[1, 4], ids=["no season", "season of 4"])
def made(request):
    series, spacing = read_series(table(), COLUMNS, str)

    def learn(name):
        return Coding.learn(name, [each.covariates[name] for each in series])

    transforms = (Transform(log=True, shift=50.0, least=1.0), Transform())
    shape = Shape(W, H, request.param, spacing, transforms, (0,), (learn("sky"),), (learn("price"), learn("town")))
    scales = np.array([[2.0, 1.0], [3.0, 0.5]])
    origins = [np.arange(W, len(each) + 1) for each in series]
    return series, scales, shape, Windows(series, scales, shape, origins)


def known_before(values):
    """Each value, or the last known one; before that the first."""
    found, last = [], values[np.isfinite(values)][0]
    for value in values:
        last = value if np.isfinite(value) else last
        found.append(last)
    return np.array(found)


def test_every_window_is_a_slice(made):
    series, scales, shape, windows = made
    inputs = windows.inputs(np.arange(len(windows)))
    assert inputs.past.shape == (W, len(windows), shape.past_size)
    assert inputs.known.shape == (H, len(windows), shape.known_size)
    for index in range(len(windows)):
        which, origin = windows.place(index)
        one = series[which]
        rows = slice(origin - W, origin)
        expected = []
        z = np.stack([known_before(np.log(one.target[:, 0] + 50)), known_before(one.target[:, 1])], axis=1)
        centre, scale = z[rows].mean(axis=0), scales[which]
        expected.append((z[rows] - centre) / scale)
        if shape.season > 1:
            earlier = [max(row - shape.season, 0) for row in range(origin - W, origin)]
            expected.append((z[earlier] - centre) / scale)
        expected.append(np.isnan(one.target[rows, :1]))
        expected.append(shape.past[0].encode(one.covariates["sky"], len(one))[rows])
        ahead = len(one) + H
        ticks = one.first + np.arange(ahead)
        known = [calendar(shape.spacing, ticks)]
        known += [coding.encode(one.covariates[coding.name], ahead) for coding in shape.known]
        known = np.concatenate(known, axis=1)
        expected.append(known[rows])
        np.testing.assert_allclose(inputs.past[:, index], np.concatenate(expected, axis=1), atol=1e-5)
        np.testing.assert_allclose(inputs.known[:, index], known[origin : origin + H], atol=1e-6)
        np.testing.assert_allclose(inputs.centre[index], centre, rtol=1e-5)
        np.testing.assert_allclose(inputs.before[0, index], (z[origin - 1] - centre) / scale, atol=1e-5)
        np.testing.assert_allclose(
            inputs.bases[:, index], (bases(z, origin, shape) - centre[:, None]) / scale[:, None], atol=1e-4
        )


def bases(z, origin, shape):
    """`[H, K, C]` in a loop over everything."""
    found = np.zeros((H, z.shape[1], shape.bases))
    m = shape.season
    for h in range(H):
        for k in range(z.shape[1]):
            y = z[:, k]
            last, mean = y[origin - 1], y[origin - W : origin].mean()
            options = [last, mean]
            if m == 1:
                options.append(last + (y[origin - 1] - y[origin - W]) / (W - 1) * (h + 1))
            else:
                back = origin + h - (h // m + 1) * m
                naive = y[back] if back >= 0 else last
                options.append(naive)
                for span in (1, 4):  # M/4 is 1, too
                    distances = []
                    for season in range(h // m + 1, h // m + 1 + SEASONS):
                        then = origin - season * m
                        if then - span >= 0:
                            distances.append(y[then + h] - y[then - span : then].mean())
                    level = y[origin - span : origin].mean()
                    options.append(level + np.mean(distances) if distances else naive)
            found[h, k] = options
    return found


def test_several_seasons_are_those_of_each():
    """Inputs and simple forecasts of 4 and 7 rows: those of 4 and those of 7, side by side."""
    (series,), spacing = read_series({"y": np.random.default_rng(0).normal(size=60)}, SeriesColumns(("y",)), str)

    def inputs(season, *more):
        shape = Shape(W, H, season, spacing, (Transform(),), more_seasons=more)
        made = Windows([series], np.ones((1, 1)), shape, [np.array([9, 50])]).inputs(np.arange(2))
        assert (made.past.shape[-1], made.bases.shape[-1]) == (shape.past_size, shape.bases)
        return made

    both, four, seven = inputs(4, 7), inputs(4), inputs(7)
    np.testing.assert_array_equal(both.past, np.concatenate([four.past, seven.past[..., 1:]], axis=-1))
    np.testing.assert_array_equal(both.bases, np.concatenate([four.bases, seven.bases[..., 2:]], axis=-1))


def test_targets_are_scaled_alike_and_missing_ones_weigh_nothing(made):
    series, scales, _, _ = made
    shape = made[2]
    windows = Windows(series, scales, shape, [np.array([5, 6, 19]), np.array([6])])
    targets, weights = windows.targets(np.arange(4))
    inputs = windows.inputs(np.arange(4))
    for index in range(4):
        which, origin = windows.place(index)
        truth = series[which].target[origin : origin + H]
        np.testing.assert_array_equal(weights[:, index], np.isfinite(truth))
        back = targets[:, index].double() * inputs.scale[index] + inputs.centre[index]
        known = np.isfinite(truth)
        undone = np.stack([shape.transforms[k].undo(back[:, k].numpy()) for k in range(2)], axis=1)
        np.testing.assert_allclose(undone[known], truth[known], rtol=1e-5, atol=1e-5)
    assert (weights == 0).any()


def test_nothing_after_the_origin_reaches_a_window(made):
    series, scales, shape, _ = made
    origin = 17
    changed = table()
    rows = [row for row in range(40) if changed["shop"][row] == "a" and row >= origin]
    for row in rows:
        changed["y"][row] += 100
        changed["z"][row] -= 100
        changed["sky"][row] = "grey"
    later, _ = read_series(changed, COLUMNS, str)
    before, after = (
        Windows(each, scales, shape, [np.array([origin]), np.zeros(0, int)]).inputs(np.array([0]))
        for each in (series, later)
    )
    for name in ("past", "known", "bases", "centre", "scale"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name), err_msg=name)
    np.testing.assert_array_equal(before.before[0], after.before[0])


def test_a_target_weighs_nothing_before_it_begins(made):
    """What would stand in the window for it is the answer itself."""
    _, scales, shape, _ = made
    later = table()
    later["z"][:12] = np.nan
    series, _ = read_series(later, COLUMNS, str)
    windows = Windows(series, scales, shape, [np.array([10, 11, 12, 13]), np.zeros(0, int)])
    _, weights = windows.targets(np.arange(4))
    assert weights[..., 1].numpy().T.tolist() == [[0, 0, 0]] * 3 + [[1, 1, 1]]
    np.testing.assert_array_equal(windows.counts, weights.sum((0, 2)))
    assert np.isnan(windowed(series, [(0, 12)], H, 1).truth[..., 1]).all()
    assert not np.isnan(windowed(series, [(0, 13)], H, 1).truth[..., 1]).any()


def test_counts_are_of_known_targets(made):
    series, scales, shape, _ = made
    windows = Windows(series, scales, shape, [np.arange(W, len(each) - H + 1) for each in series])
    _, weights = windows.targets(np.arange(len(windows)))
    np.testing.assert_array_equal(windows.counts, weights.sum((0, 2)))
    batch = windows.batch(np.array([0, 5]))
    assert batch.tokens == windows.counts[[0, 5]].sum()
