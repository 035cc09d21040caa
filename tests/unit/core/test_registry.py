"""Cells by name: what is missing, taken or misspelt is said."""

import sys

import pytest

import ostinato.cells  # noqa: F401
from ostinato.cells.lstm import LSTM
from ostinato.core.errors import ConfigError, DataError, OstinatoError, RunFolderError, TrainingError
from ostinato.core.registry import announce, build, lookup, register, registered, unregister


def test_lookup_offers_the_nearest():
    assert lookup("lstm") is LSTM
    with pytest.raises(
        ConfigError, match=r"unknown cell 'lstn': did you mean 'lstm'\? there are .*gru, .*--plugin FILE.py"
    ):
        lookup("lstn")


def test_build_passes_options_on_and_names_those_there_are_not():
    assert build("lstm", 3, 5, False, proj_size=2) == LSTM(3, 5, False, proj_size=2)
    with pytest.raises(ConfigError, match="cell 'lstm' has no option 'projection', 'x'; it has activation, clip, "):
        build("lstm", 3, 5, projection=2, x=1)


def test_what_the_contract_asks_for_is_named():
    class Half:
        name, gates = "half", ()

    with pytest.raises(ConfigError, match="cell Half lacks State, paper, parameters, project, step"):
        register(Half)
    assert "half" not in registered()


def test_a_name_is_taken_once_but_the_same_class_may_come_again():
    other = type("Other", (LSTM,), {"__module__": "elsewhere"})
    with pytest.raises(ConfigError, match=r"'lstm' is taken by ostinato.cells.lstm.LSTM"):
        register(other)
    assert register(LSTM) is LSTM
    assert lookup("lstm") is LSTM


def test_what_is_registered_is_a_copy():
    registered().clear()
    assert "lstm" in registered()


def test_a_cell_that_is_announced_is_imported_when_somebody_asks_for_it(tmp_path, monkeypatch):
    text = """
from ostinato.cells.lstm import LSTM
from ostinato.core.registry import register
register(type("Later", (LSTM,), {"name": "later", "__module__": __name__}))
"""
    (tmp_path / "cell_that_comes_later.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    announce({"later": "cell_that_comes_later"})
    try:
        assert "cell_that_comes_later" not in sys.modules
        other = type("Other", (LSTM,), {"name": "later", "__module__": "elsewhere"})
        with pytest.raises(ConfigError, match=r"'later' is taken by cell_that_comes_later.Later"):
            register(other)
        assert registered()["later"] is lookup("later")
    finally:
        unregister("later")


@pytest.mark.parametrize(
    ("kind", "base"),
    [(ConfigError, ValueError), (DataError, ValueError), (RunFolderError, Exception), (TrainingError, ArithmeticError)],
)
def test_every_error_is_ours_and_pythons(kind, base):
    assert issubclass(kind, OstinatoError)
    assert issubclass(kind, base)
