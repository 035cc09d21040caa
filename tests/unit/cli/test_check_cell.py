"""`ostinato check-cell`: what it finds out about a file, and what it says of files that are none."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import ostinato
from ostinato.cli.main import main
from ostinato.compiler import build
from ostinato.core.errors import ConfigError
from ostinato.core.registry import registered, unregister
from ostinato.native import library as native_library

CELL = """\
import torch
from dataclasses import dataclass
from ostinato.cells.contract import CellDefaults, HiddenState, recurrent


@dataclass(frozen=True)
class Own(CellDefaults):
    name, gates, State, paper = "own_checked", ("f",), HiddenState, "none"
    input_size: int
    hidden_size: int
    bias: bool = True

    def step(self, p, projected, state):
        h = torch.tanh(projected + recurrent(p, state.h))
        h = torch.softmax(h, -1)
        return h, HiddenState(h)
"""
SMALL = ["--hidden-size", "6", "--input-size", "3", "--batch", "2", "--steps", "4", "--seconds", "0.01"]
SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "check-cell.json").read_text())


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path / "kernels"))
    before = set(registered())
    yield
    for name in set(registered()) - before:
        unregister(name)


def written(tmp_path, text, name="own.py"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def checked(capsys, *words):
    status = main(["check-cell", *words, *SMALL, "--json"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    Draft202012Validator(SCHEMA).validate(found)
    return status, found["cells"]


@pytest.fixture
def compiles(library):
    if isinstance(lacking := build.compiler(), str):
        pytest.skip(lacking)


def test_a_cell_that_compiles(tmp_path, capsys, compiles):
    status, (cell,) = checked(capsys, written(tmp_path, CELL))
    assert (status, cell["name"], cell["form"]) == (0, "own_checked", "phases")
    assert (cell["reason"], cell["agrees"]) == ("", True)
    assert cell["compiling"] > 0
    forward = [phase for phase in cell["phases"] if phase["direction"] == "forward"]
    assert [(phase["number"], phase["products"], phase["reductions"]) for phase in forward] == [(1, 1, 2)]
    assert any(kept["value"].endswith("own.py:14)") for kept in cell["kept"]), cell["kept"]
    assert {"output", "h at every step", "gradient by weight_hh"} <= {one["of"] for one in cell["differences"]}
    assert cell["speed"]["times"] > 0
    assert checked(capsys, written(tmp_path, CELL))[1][0]["compiling"] == 0


@pytest.mark.slow
def test_the_forms(compiles):
    found = [ostinato.check_cell(name, 3, 6, seconds=0.01, steps=3) for name in ("lstm", "min_gru", "mgu")]
    assert [report.form for report in found] == ["fused", "scan", "phases"]
    assert all(report.agrees for report in found)
    assert found[0].kept_floats == 5 * 16


def test_a_step_that_no_kernel_has(tmp_path, capsys, library):
    status, (cell,) = checked(capsys, written(tmp_path, CELL.replace("torch.softmax(h, -1)", "h.cumsum(-1)")))
    assert (status, cell["form"], cell["differences"], cell["speed"]["compiled"]) == (0, "reference", [], None)
    assert "cumsum" in cell["reason"]
    assert cell["reason"].endswith("own.py:15)")


def test_for_people(tmp_path, capsys, library):
    path = written(tmp_path, CELL.replace("torch.softmax(h, -1)", "h * torch.rand_like(h)"))
    assert main(["check-cell", path, *SMALL]) == 0
    told = capsys.readouterr().out
    assert "Own(input_size=3, hidden_size=6, bias=True)" in told
    assert f"reference: rand_like draws random numbers, which a step must not ({path}:15)" in told
    assert "loop" in told


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (
            "import torch\nx = unknown\n",
            [],
            "own.py: cannot be imported: NameError: name 'unknown' is not defined (line 2)",
        ),
        ("x = (\n", [], "own.py: cannot be imported: SyntaxError"),
        ("x = 1\n", [], "own.py: expected a cell"),
        (CELL.replace("recurrent(p, state.h)", "p['w']"), [], "own.py:14: KeyError: 'w'"),
        (CELL, ["--cell", "own_chekd"], "did you mean 'own_checked'?"),
        (CELL, ["--cell-options", "heads=2"], "unexpected keyword argument 'heads'"),
    ],
)
def test_files_that_are_none(tmp_path, capsys, text, words, said):
    assert main(["check-cell", written(tmp_path, text), *words]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert len(told.err.splitlines()) == 1
    assert not told.out


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert main(["check-cell", str(tmp_path / "gone.py")]) == 2
    assert "gone.py: cannot be imported: FileNotFoundError" in capsys.readouterr().err


def test_unknown_names():
    with pytest.raises(ConfigError, match="did you mean 'lstm'"):
        ostinato.check_cell("lsmt")


def test_without_a_compiler(monkeypatch):
    monkeypatch.setattr(build, "compiler", lambda: "no C++ compiler")
    if isinstance(native_library.load(), str):
        pytest.skip("no native library")
    report = ostinato.check_cell("mgu", 3, 5, seconds=0.01, steps=2)
    assert (report.form, report.reason) == ("reference", "no C++ compiler")
