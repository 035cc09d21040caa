"""The package's own cells as headers of its library: `make kernels` writes them, a test holds them to the equations."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ostinato.cells  # noqa: F401 (registers them)
from ostinato.cells import form
from ostinato.cells.contract import Cell
from ostinato.compiler.fused import Fused, fused
from ostinato.compiler.layout import Layout
from ostinato.compiler.pieces import in_pieces
from ostinato.compiler.sized import NotSizedError, sized
from ostinato.compiler.trace import Traced, trace
from ostinato.config.cells import CELL_NAMES
from ostinato.core.registry import lookup

#: Where they are committed.
FOLDER = Path(__file__).parents[1] / "native" / "source" / "cells"

_OPERANDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
# Their code is the same for all sizes; these are different, so that none is taken for another.
_INPUTS, _UNITS, _OUTPUTS = 3, 5, 4


class Header(NamedTuple):
    """A cell in C++.

    Attributes:
        is_fused: whether it is of the form of cells/cell.h; else it is a program.
        text: the file's.
    """

    is_fused: bool
    text: str


class NoHeaderError(Exception):
    """A cell that is to have a kernel of the library's, and whose operands are others than those of ostinato.h."""


def texts() -> dict[str, str]:
    """Every header by its file's name.

    Raises:
        NoHeaderError: a cell says that it is `native`, and cannot be.
    """
    made = {}
    for kind in (kind for kind in map(lookup, CELL_NAMES) if getattr(kind, "native", False)):
        for projected in {bool(form.has_output_layer(kind.name)), bool(kind.projected_kernel)}:
            made[form.kernel(kind, projected)] = header(kind, projected=projected)
    return {f"{name}.h": one.text for name, one in made.items()} | {"all.h": _all(made)}


def header(kind: type[Any], *, projected: bool = False) -> Header:
    """The header of a cell.

    Args:
        kind: its class.
        projected: the cell with an output layer.

    Raises:
        NoHeaderError: it has other operands than the library's kernels take.
    """
    name = form.kernel(kind, projected)
    cell = _cell(kind, projected, _INPUTS, _UNITS, _OUTPUTS)
    found = None if projected else _fused(cell, name)
    code = _programs(kind, projected, name) if found is None else found
    includes = "cell.h" if found else "../adapted.h"
    equations = "".join(f"// {line}\n" for line in _equations(kind))
    made = f"// Made by `make kernels` from the equations of cells/{kind.name}.py: do not edit.\n{equations}"
    return Header(found is not None, f'{made}#pragma once\n\n#include "{includes}"\n\n{_in_namespaces(code)}')


def _cell(kind: type[Any], projected: bool, D: int, H: int, R: int) -> Cell:
    option = {kind.width_option: R} if projected else {}
    cell: Cell = kind(input_size=D, hidden_size=H, **option)
    return cell


def _fused(cell: Cell, name: str) -> str | None:
    """Its struct in the form of cells/cell.h."""
    traced = trace(cell)
    found = fused(Layout(in_pieces(traced)), struct(name), cell.gates)
    return None if found is None or traced.projected or not _takes(cell, traced, found) else found.code


def _programs(kind: type[Any], projected: bool, name: str) -> str:
    """Its structs as adapted.h takes them."""
    variants = {}
    for variant, noisy in (("Plain", False), ("Noisy", True)):

        def program(D: int, H: int, R: int, noisy: bool = noisy) -> tuple[Traced, Layout]:
            traced = trace(_cell(kind, projected, D, H, R), masked=noisy, zoned=noisy)
            return traced, Layout(in_pieces(traced), fixed=range(1, 1 + len(traced.noise)))

        own = _operands(_cell(kind, projected, _INPUTS, _UNITS, _OUTPUTS), *program(_INPUTS, _UNITS, _OUTPUTS))
        try:
            variants[variant] = sized(f"{struct(name)}{variant}", program, own, projects=projected)
        except NotSizedError as error:
            raise NoHeaderError(f"{name}: {error}") from error
    memory = len(kind.State._fields) > 1
    whole = "\n".join([
        f"struct {struct(name)} {{",
        f"    static constexpr bool memory = {str(memory).lower()}, projects = {str(projected).lower()};",
        *(f"    using {variant} = {struct(name)}{variant};" for variant in variants),
        "};",
    ])  # fmt: skip
    return "\n\n".join([*variants.values(), whole])


def _operands(cell: Cell, traced: Traced, layout: Layout) -> list[str]:
    """Which operands of a run the program's matrices and vectors are."""
    if traced.projected or layout.differentiated != cell.input_size or len(traced.state_widths) > 2:
        raise NoHeaderError(f"{cell.name} has other operands than ostinato.h")
    declared, extra = cell.parameters(), _rows_of_units(cell)
    used: list[str] = []
    lines = []
    for title, kind, refs in (
        ("matrices", "weight_", traced.matrices),
        ("vectors", ("bias_", "extra"), traced.vectors),
    ):
        rows = []
        for note in (traced.notes[ref.note] for ref in refs):
            if note.function is not None or note.args not in declared:
                raise NoHeaderError(f"{cell.name} computes with what it makes of its parameters")
            name = form.operand(note.args, declared[note.args])
            row = f", {extra[note.args] // cell.hidden_size}" if name == "extra" else ""
            if not name.startswith(kind) or name + row in used:
                raise NoHeaderError(f"{cell.name}: {note.args} cannot be one operand of ostinato.h beside the others")
            used.append(name + row)
            rows.append(f"{{&ostinato_run::{name}, &ostinato_run::grad_{name}{row}}}")
        lines.append(f"static constexpr RunOperand {title}[] = {{{', '.join(rows)}}};")
    if len(used) != len(declared):
        raise NoHeaderError(f"{cell.name} has parameters that a step does not use")
    return lines


def _rows_of_units(cell: Cell) -> dict[str, int]:
    """Where each weight begins that a unit has beside the products."""
    found, begin = {}, 0
    for name, one in cell.parameters().items():
        if form.operand(name, one) == "extra":
            found[name], begin = begin, begin + one.shape[0]
    return found


def struct(name: str) -> str:
    """What a cell's struct is called."""
    return "".join(part.capitalize() for part in name.split("_"))


def _takes(cell: Cell, traced: Traced, found: Fused) -> bool:
    """Whether its parameters are the operands that the library's kernels take, in their order."""
    matrices, vectors = ([traced.notes[ref.note].args for ref in refs] for refs in (traced.matrices, traced.vectors))
    used = [*(matrices[at] for at in found.roles[:2]), *(vectors[at] for at in found.roles[2:])]
    return used == list(_OPERANDS) and [vectors[at] for at in found.extra] == list(_rows_of_units(cell))


def _equations(kind: type[Any]) -> Iterator[str]:
    """Those of the docstring: its indented lines, or its first."""
    lines = (inspect.getdoc(kind) or "").splitlines()
    indented = [
        line.strip()
        for line in lines[: lines.index("Attributes:") if "Attributes:" in lines else None]
        if line.startswith("    ")
    ]
    yield from indented or [lines[0]]


def _all(made: dict[str, Header]) -> str:
    names = sorted(made)
    lines = [
        "// Made by `make kernels` from the cells that say that they are `native`: do not edit.",
        "#pragma once",
        "",
    ]
    lines += [f'#include "{name}.h"' for name in names]
    for title, in_form in (("FUSED", True), ("ADAPTED", False)):
        rows = [f'    X({struct(name)}, "{name}")' for name in names if made[name].is_fused == in_form]
        lines += ["", f"#define OSTINATO_{title}_CELLS(X) \\", " \\\n".join(rows)]
    return "\n".join([*lines, ""])


def _in_namespaces(code: str) -> str:
    return (
        "namespace ostinato {\nnamespace OSTINATO_ISA {\n\n"
        f"{code}\n\n}}  // namespace OSTINATO_ISA\n}}  // namespace ostinato\n"
    )


if __name__ == "__main__":
    for name, text in texts().items():
        FOLDER.joinpath(name).write_text(text, encoding="utf-8")
