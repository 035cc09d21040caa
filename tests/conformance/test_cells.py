"""Every cell in the package: the checks, an oracle, and the names and shapes that weights files rely on."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from importlib import import_module
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import ostinato.cells  # noqa: F401 (registers them)
from ostinato.cells.contract import Cell
from ostinato.config.cells import CELL_NAMES
from ostinato.core.registry import lookup
from ostinato.kernels import Request, native_cells
from ostinato.testing import CHECKS, agrees_with_oracle

TESTS = Path(__file__).parents[1]
GOLDEN = json.loads((TESTS / "golden" / "parameters.json").read_text())


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def oracle_of(name: str) -> ModuleType:
    if not (TESTS / "oracles" / f"{name}.py").exists():
        pytest.fail(f"cell {name!r} has no oracle: write tests/oracles/{name}.py, a plain transcription of its paper")
    return import_module(f"tests.oracles.{name}")


def label(cell: Cell) -> str:
    """Sizes, then whatever is not a default: `D=3 H=5 proj_size=2`."""
    options = [f"{f.name}={getattr(cell, f.name)}" for f in fields(cell) if f.default != getattr(cell, f.name)]
    return " ".join(options).replace("input_size", "D").replace("hidden_size", "H")


#: Checks in which cells are compiled, some seconds for each where nothing is kept yet.
COMPILING = {"bfloat16", "fused"}
#: Of the compiled cells, those of which no check is slow: one of products, heads and reductions, one without a product.
QUICK = {"slstm", "min_gru"}
#: What takes several seconds all the same, while quick tests look at the like of it.
LONG = {("bfloat16", "slstm"), ("gradient", "slstm"), ("gradient", "lstm_peephole"), ("gradient", "mogrifier_lstm")}


def by_check() -> Iterator[Any]:
    """Each check and cell, with the examples that it is for; apart from the rest those for which it is slow."""
    request = Request(torch.float32, "cpu", 5)
    for check, name in product(CHECKS, CELL_NAMES):
        quick, slow = [], []
        for cell in lookup(name).examples():
            waits = check in COMPILING and name not in QUICK and native_cells.refuses(cell, request) is not None
            (slow if waits else quick).append(cell)
        if quick:
            marks = pytest.mark.slow if (check, name) in LONG else ()
            yield pytest.param(CHECKS[check], quick, id=f"{check}-{name}", marks=marks)
        if slow:
            yield pytest.param(CHECKS[check], slow, id=f"{check}-{name}-compiled", marks=pytest.mark.slow)


@pytest.mark.parametrize(("check", "cells"), list(by_check()))
def test_conformance(check: Callable[[Cell], None], cells: Sequence[Cell]):
    for cell in cells:
        check(cell)


@pytest.mark.parametrize("name", CELL_NAMES)
def test_equations_are_those_of_the_oracle(name: str):
    oracle = oracle_of(name)
    for cell in lookup(name).examples():
        agrees_with_oracle(cell, oracle.forward)


@pytest.mark.parametrize("name", CELL_NAMES)
def test_parameters_keep_their_names_order_and_shapes(name: str):
    # A new cell may bring its rows in its oracle, so that adding one touches two files.
    golden = GOLDEN.get(name) or getattr(oracle_of(name), "PARAMETERS", {})
    found = {label(cell): {n: list(d.shape) for n, d in cell.parameters().items()} for cell in lookup(name).examples()}
    for configuration, parameters in found.items():
        row = golden.get(configuration)
        assert row, f"no golden row; if this is meant, write\n{json.dumps({configuration: parameters})}"
        assert list(parameters.items()) == [(n, list(shape)) for n, shape in row.items()], configuration
