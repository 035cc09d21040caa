"""The package's own cells as headers of its library: `make kernels` writes them, a test holds them to the equations."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ostinato.cells  # noqa: F401 (registers them)
from ostinato.cells.contract import Cell
from ostinato.cells.form import operand
from ostinato.compiler.fused import Fused, fused
from ostinato.compiler.layout import Layout
from ostinato.compiler.pieces import in_pieces
from ostinato.compiler.trace import Traced, trace
from ostinato.config.cells import CELL_NAMES
from ostinato.core.registry import lookup

#: Where they are committed.
FOLDER = Path(__file__).parents[1] / "native" / "source" / "cells"

_BEGIN = "#pragma once\n\n"
_OPERANDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
# Their code is the same for all sizes; these are different, so that none is taken for another.
_INPUTS, _UNITS = 3, 5


class NotFusedError(Exception):
    """A cell that is to have a kernel of the library's, and is not of the form for that."""


def texts() -> dict[str, str]:
    """Every header by its file's name.

    Raises:
        NotFusedError: a cell says that it is `native`, and is not of the fused form.
    """
    kinds = [kind for kind in map(lookup, CELL_NAMES) if getattr(kind, "native", False)]
    return {"all.h": _all(kinds)} | {f"{kind.name}.h": header(kind) for kind in kinds}


def header(kind: type[Any]) -> str:
    """The header of a cell.

    Args:
        kind: its class.

    Raises:
        NotFusedError: it is not of the fused form.
    """
    cell = kind(input_size=_INPUTS, hidden_size=_UNITS)
    traced = trace(cell)
    found = fused(Layout(in_pieces(traced)), struct(kind.name), kind.gates)
    if found is None or traced.projected or not _takes(cell, traced, found):
        raise NotFusedError(f"{kind.name} is not of the form of cells/cell.h, with the operands of ostinato.h")
    equations = "".join(f"// {line}\n" for line in _equations(kind))
    made = f"// Made by `make kernels` from the equations of cells/{kind.name}.py: do not edit.\n"
    return f'{made}{equations}{_BEGIN}#include "cell.h"\n\n{_in_namespaces(found.code)}'


def struct(name: str) -> str:
    """What a cell's struct is called."""
    return "".join(part.capitalize() for part in name.split("_"))


def _takes(cell: Cell, traced: Traced, found: Fused) -> bool:
    """Whether its parameters are the operands that the library's kernels take, in their order."""
    matrices, vectors = ([traced.notes[ref.note].args for ref in refs] for refs in (traced.matrices, traced.vectors))
    used = [*(matrices[at] for at in found.roles[:2]), *(vectors[at] for at in found.roles[2:])]
    units = [name for name, one in cell.parameters().items() if operand(name, one) == "extra"]
    return used == list(_OPERANDS) and [vectors[at] for at in found.extra] == units


def _equations(kind: type[Any]) -> Iterator[str]:
    """Those of the docstring: its indented lines, or its first."""
    lines = (inspect.getdoc(kind) or "").splitlines()
    indented = [
        line.strip()
        for line in lines[: lines.index("Attributes:") if "Attributes:" in lines else None]
        if line.startswith("    ")
    ]
    yield from indented or [lines[0]]


def _all(kinds: list[type[Any]]) -> str:
    includes = "".join(f'#include "{kind.name}.h"\n' for kind in kinds)
    rows = " \\\n".join(f'    X({struct(kind.name)}, "{kind.name}")' for kind in kinds)
    return (
        "// Made by `make kernels` from the cells that say that they are `native`: do not edit.\n"
        f"{_BEGIN}{includes}\n// Of each, its struct and its name.\n#define OSTINATO_FUSED_CELLS(X) \\\n{rows}\n"
    )


def _in_namespaces(code: str) -> str:
    return (
        "namespace ostinato {\nnamespace OSTINATO_ISA {\n\n"
        f"{code}\n\n}}  // namespace OSTINATO_ISA\n}}  // namespace ostinato\n"
    )


if __name__ == "__main__":
    for name, text in texts().items():
        FOLDER.joinpath(name).write_text(text, encoding="utf-8")
