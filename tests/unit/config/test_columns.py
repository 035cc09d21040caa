"""Several columns in one option."""

import pytest

from ostinato.config.columns import as_option, names_in
from ostinato.config.merge import build
from ostinato.tasks.forecast.options import TrainForecast


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, ()),
        ("v", ("v",)),
        ("v, w", ("v", "w")),
        ('"v, total"', ("v, total",)),
        ('day, "v, total" ,"a ""b"""', ("day", "v, total", 'a "b"')),
        ("v,", ("v", "")),
    ],
)
def test_names_stand_between_commas(text, names):
    assert names_in(text) == names


@pytest.mark.parametrize("names", [("v",), ("v, total", "w"), ('a "b"', "c"), ("größe",)])
def test_names_come_back(names):
    assert names_in(as_option(names)) == names
    flat = {"data": ["t.csv"], "out": "r", "target": list(names), "window": 4, "horizon": 1}
    assert build(TrainForecast, flat, "train").columns("target") == names
