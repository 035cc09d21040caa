"""The machine's limit beside what was measured."""

import pytest

from ostinato.bench import machine, pages


def test_the_floor_is_the_time_at_the_best_rate():
    found = machine.floor(3e9, {"torch": 100.0, "numpy": 150.0, "ostinato": 120.0}, 40.0)
    assert found == {"floor_ms": 20.0, "of_floor": 0.5}
    assert pages.floor(found) == "20 (0.50)"
    assert machine.floor(3e9, {}, 40.0) == {}
    assert pages.floor({}) == ""


@pytest.fixture
def quick(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(machine, "_SIZE", 64)


def test_limits_are_the_best_ever_seen(quick, monkeypatch):
    rates = iter([10.0, 20.0, 30.0, 40.0, 5.0, 1.0])
    monkeypatch.setattr(machine, "_rate", lambda product: (product(), next(rates))[1])
    first = machine.limits("highest", 1, None)
    assert first == {"torch": 10.0, "numpy": 20.0, "ostinato": 30.0}
    assert machine.limits("highest", 1, None) == {"torch": 40.0, "numpy": 20.0, "ostinato": 30.0}


def test_nothing_is_known_of_other_precisions(quick):
    assert machine.limits("high", 1, None) == {}
    assert machine.limits("int8", 1, None) == {}
