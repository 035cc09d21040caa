"""What a forecaster remembers of its series."""

import json

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.series.codec import SeriesCodec
from ostinato.data.series.reading import SeriesColumns, read_series

W, H = 4, 2
COLUMNS = SeriesColumns(("y",), ("month",), ("shop",), future=("price",))


def table(first=0, rows=30, shop="a"):
    months = [f"{2000 + t // 12}-{t % 12 + 1:02d}" for t in range(first, first + rows)]
    y = [float(t % 5 + t) for t in range(first, first + rows)]
    return {"shop": [shop] * rows, "month": months, "y": y, "price": [1.0 + t % 3 for t in range(rows)]}


def read(content, columns=COLUMNS):
    return read_series(content, columns, str)


@pytest.fixture
def codec():
    series, spacing = read(table())
    return SeriesCodec.learn(series, spacing, COLUMNS, window=W, horizon=H, trained=[27])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (table(0, 40), range(30, 39)),  # goes on
        (table(20, 20), range(10, 19)),  # begins within what was given
        (table(28, 12), range(4, 11)),  # overlaps by less than a window
        (table(30, 10), range(4, 9)),  # begins where it ended
        (table(50, 10), range(4, 9)),  # later
        (table(0, 40, "b"), range(4, 39)),  # another series
        (table(0, 31), range(0)),
    ],
)
def test_what_is_unseen(codec, content, expected):
    (series,), _ = read(content)
    assert codec.unseen(series).tolist() == list(expected)


def test_rows_without_time_are_known_again_by_their_values():
    columns = SeriesColumns(("y",))
    series, spacing = read(table(), columns)
    codec = SeriesCodec.learn(series, spacing, columns, window=W, horizon=H)
    assert codec.unseen(read(table(0, 33), columns)[0][0]).tolist() == [30, 31]
    assert codec.unseen(read(table(1, 33), columns)[0][0]).tolist() == list(range(4, 32))


@pytest.mark.parametrize(
    ("change", "known", "first"),
    [
        (lambda y: y, 30, 30),
        (lambda y: np.r_[y[:7], 99.0, y[8:]], 30, 30),  # an old value was revised
        (lambda y: np.r_[y[:20], y[20:30] + 1, y[30:]], 30, 30),  # the last ones were
        (lambda y: y[:25], 25, None),  # fewer rows than were given
        (lambda y: y + 1, 0, W),  # other rows
        (lambda y: np.r_[y[:10], y[10:30] + 1, y[30:]], 0, W),  # most are others
    ],
)
def test_rows_without_time_are_known_again_though_some_were_revised(change, known, first):
    columns = SeriesColumns(("y",), id=("shop",))
    series, spacing = read(table(), columns)
    codec = SeriesCodec.learn(series, spacing, columns, window=W, horizon=H)
    codec = SeriesCodec.from_json(json.loads(json.dumps(codec.to_json())))
    y = change(np.array(table(0, 36)["y"]))
    (later,), _ = read({"shop": ["a"] * len(y), "y": y}, columns)
    assert codec.known_rows(later) == known
    assert codec.unseen(later).tolist() == ([] if first is None else list(range(first, len(y) - H + 1)))
    (other,), _ = read({"shop": ["b"] * len(y), "y": y}, columns)
    assert (codec.known_rows(other), codec.unseen(other)[0]) == (0, W)  # another id


def test_a_window_without_a_known_target_is_left_out(codec):
    content = table(0, 40)
    content["y"][33] = content["y"][34] = np.nan
    (series,), _ = read(content)
    assert codec.unseen(series).tolist() == [30, 31, 32, 34, 35, 36, 37, 38]


def test_it_survives_json(codec):
    again = SeriesCodec.from_json(json.loads(json.dumps(codec.to_json())))
    assert again == codec
    (series,), _ = read(table())
    one, other = (each.windows([series], [np.array([10])]).inputs(np.array([0])) for each in (codec, again))
    for name, part in one._asdict().items():
        np.testing.assert_array_equal(part, getattr(other, name))


def test_scales_are_the_trained_rows_and_naive_errors_all_rows_given(codec):
    (series,), _ = read(table())
    y = series.target[:, 0]
    assert codec.naive_errors(series)[0] == pytest.approx(np.mean(np.abs(np.diff(y))))
    squares = [np.mean((y[t : t + W] - y[t : t + W].mean()) ** 2) for t in range(27 - W + 1)]
    assert codec.given["a"].scale[0] == pytest.approx(np.sqrt(np.mean(squares)))


def test_a_new_series_is_scaled_by_its_first_window(codec):
    (series,), _ = read({**table(0, 20, "b"), "y": [1000.0 * (t % 5) for t in range(20)]})
    inputs = codec.windows([series], [np.array([4])]).inputs(np.array([0]))
    assert float(inputs.scale[0, 0]) == pytest.approx(1000 * np.std([0, 1, 2, 3]))


def test_a_series_that_was_too_short_to_tell_is_scaled_by_its_first_window():
    series, spacing = read({**table(0, 20, "b"), "y": [0.0] * 8 + [1000.0 * (t % 5) for t in range(12)]})
    codec = SeriesCodec.learn(series, spacing, COLUMNS, window=W, horizon=H, trained=[8])
    assert codec.given["b"].scale == (None,)
    assert SeriesCodec.from_json(json.loads(json.dumps(codec.to_json()))) == codec
    (later,), _ = read({**table(30, 20, "b"), "y": [1000.0 * (t % 5) for t in range(20)]})
    inputs = codec.windows([later], [np.array([4])]).inputs(np.array([0]))
    assert float(inputs.scale[0, 0]) == pytest.approx(1000 * np.std([0, 1, 2, 3]))


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_a_series_that_never_changes_is_scaled_as_others_of_its_size(unit):
    def learned(*parts):
        series, spacing = read({name: [cell for part in parts for cell in part[name]] for name in parts[0]})
        codec = SeriesCodec.learn(series, spacing, COLUMNS, window=W, horizon=H)
        inputs = codec.windows(series, [np.array([10])] * len(series)).inputs(np.arange(len(series)))
        return inputs.scale[:, 0].tolist()

    y = np.arange(30) % 5 + 10.0
    varying, even = {**table(shop="a"), "y": (unit * y).tolist()}, {**table(shop="b"), "y": [3 * unit] * 30}
    zero = {**table(shop="c"), "y": [0.0] * 30}
    spread = np.sqrt(np.mean([np.var(y[t : t + W]) for t in range(30 - W + 1)]))
    assert learned(varying, even, zero) == pytest.approx([unit * each for each in (spread, 3 / 12 * spread, spread)])
    assert learned(even) == pytest.approx([0.03 * unit])
    assert learned(zero) == [1]


def test_the_logarithm_of_negative_values_is_refused():
    series, spacing = read({**table(), "y": [float(t - 3) for t in range(30)]})
    with pytest.raises(DataError, match="column 'y': --transform log takes no negative values"):
        SeriesCodec.learn(series, spacing, COLUMNS, window=W, horizon=H, log=True)


def test_values_known_ahead_are_asked_for(codec):
    content = table(0, 32)
    content["y"][30:] = [np.nan, np.nan]
    codec.require_future(read(content)[0][0])
    content["price"][31] = np.nan
    with pytest.raises(
        DataError, match=r"--future price: .* series 'a' for the 2 rows after 2002-06, up to 2002-08, got 1"
    ):
        codec.require_future(read(content)[0][0])


def test_times_are_written_as_they_came():
    parts = SeriesColumns(("y",), ("Year", "month"))
    content = {"Year": [2000, 2000, 2000], "month": [10, 11, 12], "y": [1.0, 2.0, 3.0]}
    series, spacing = read(content, parts)
    codec = SeriesCodec.learn(series, spacing, parts, window=2, horizon=1)
    assert codec.time_columns() == ("Year", "month")
    assert codec.times(series[0].first + np.array([2, 3])) == [("2000", "12"), ("2001", "1")]


def test_parts_of_times_keep_their_fraction():
    parts = SeriesColumns(("y",), ("year", "minute", "second"))
    content = {"year": [2000] * 3, "minute": [59] * 3, "second": ["58.5", "59.00", "59.5"], "y": [1.0, 2.0, 3.0]}
    series, spacing = read(content, parts)
    codec = SeriesCodec.learn(series, spacing, parts, window=2, horizon=1)
    assert codec.times(series[0].first + spacing.step * np.array([1, 2])) == [
        ("2000", "59", "59"),
        ("2000", "59", "59.5"),
    ]


def test_series_are_known_again_however_their_numbers_are_written(tmp_path):
    """As a data frame writes whole numbers of a column that once had a gap."""
    columns = SeriesColumns(("y",), ("t",), ("s",))
    content = {"s": ["1"] * 20 + ["2"] * 20, "t": [*range(20)] * 2, "y": [float(n % 7) for n in range(40)]}
    series, spacing = read(content, columns)
    codec = SeriesCodec.learn(series, spacing, columns, window=W, horizon=H)
    rows = [f"{s}.0,{t},{n % 7}" for n, (s, t) in enumerate(zip(content["s"], content["t"], strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(["s,t,y", *rows]))
    again = codec.read(str(tmp_path / "t.csv")).series
    assert [each.key for each in again] == ["1", "2"]
    assert [len(codec.unseen(each)) for each in again] == [0, 0]
