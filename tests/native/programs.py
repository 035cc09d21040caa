"""Compiled cells as a header for check_programs.cpp: their programs, sequences, and what these give in float64.

python tests/native/programs.py OUT.h
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import ostinato.cells  # noqa: F401 (registers them)
from ostinato.cells.resets import Resets
from ostinato.cells.unroll import unroll
from ostinato.compiler.kernel import Kernel, kernel_of
from ostinato.compiler.trace import computed
from ostinato.core.registry import build
from ostinato.kernels import compiled_reference
from ostinato.kernels.compiled_operators import Inputs
from ostinato.native.programs import TABLES

#: Beside the nine that the library has: without a recurrent product, with reductions and heads, with products one after
#: the other, and with products of whole chunks.
CELLS = {"min_gru": {}, "slstm": {"heads": 3}, "mogrifier_lstm": {}, "lru": {}}
#: N, T, threads, split (as in ostinato.h), whether in reverse, ragged, with resets.
CASES = [(5, 7, 1, 0, 0, 0, 0), (5, 6, 2, 0, 1, 1, 1), (3, 90, 3, 1, 0, 1, 1), (2, 60, 2, 2, 1, 0, 1)]
D, H = 5, 21
#: Where a program keeps what each of the tables is made of.
LISTS = [name if name.endswith("_part") else f"{name}s" for name in TABLES]


def main(out: Path) -> None:
    """Write the header."""
    torch.manual_seed(1)
    made = [_cell(name, options) for name, options in CELLS.items()]
    names = ", ".join(f"ostinato::OSTINATO_ISA::{name}::cell()" for name in CELLS)
    out.write_text("\n".join([*made, f"static const Cell all_cells[] = {{{names}}};", ""]))


def _cell(name: str, options: dict[str, Any]) -> str:
    cell: Any = build(name, D, H, **options)
    kernel = kernel_of(cell, "baseline")
    layout = kernel.layout
    lines = [f"namespace ostinato {{ namespace OSTINATO_ISA {{ namespace {name} {{"]
    lines += [layout.forward.code, layout.backward.code]
    for way in ("forward", "backward"):
        direction = getattr(layout, way)
        stages = [f"{way}_{index}" if there else "nullptr" for index, there in enumerate(direction.stages)]
        lines.append(f"static const ostinato_stage {way}_stages[] = {{{', '.join(stages)}}};")
        lines.append(_array("int64_t", f"{way}_numbers", direction.numbers))
    for table, listed in zip(TABLES, LISTS, strict=True):
        lines.append(_array("int64_t", table, [number for row in getattr(layout, listed) for number in row]))
    for what, sizes in kernel.widths.items():
        lines.append(_array("int64_t", f"{what}_sizes", sizes))
    cases = [line for index, case in enumerate(CASES) for line in _case(cell, kernel, f"case{index}", *case)]
    return "\n".join([*lines, *cases, *_described(name, kernel), "}}}"])


def _described(name: str, kernel: Kernel) -> Iterator[str]:
    layout, run = kernel.layout, kernel.run()
    yield "static Cell cell() {"
    yield "    ostinato_program p{};"
    sizes = (
        "state_size",
        "kept_size",
        "vectors_size",
        "output_width",
        "inputs",
        "fields",
        "matrices",
        "vectors",
        "clear_inputs",
    )
    for size in sizes:
        yield f"    p.{size} = {int(getattr(run, size))};"
    for table, listed in zip(TABLES, LISTS, strict=True):
        kind = "vector_part" if table == "vector_gradient" else table
        yield f"    p.{table} = reinterpret_cast<const ostinato_{kind}*>({table});"
        if table not in ("piece", "operand", "source"):
            yield f"    p.{table}s = {len(getattr(layout, listed))};"
    for way in ("forward", "backward"):
        part = getattr(run, way)
        numbers = f"{part.levels}, {part.over_chunk}, {part.scratch_size}, {part.chunk_size}"
        yield f"    p.{way} = {{{numbers}, {way}_stages, {way}_numbers}};"
    yield "    p.input_width = input_sizes, p.field_width = field_sizes;"
    yield "    p.matrix_shape = matrix_sizes, p.vector_width = vector_sizes;"
    cases = ", ".join(f"case{index}()" for index in range(len(CASES)))
    yield f'    return {{"{name}", p, {{{cases}}}}};'
    yield "}"


def _case(
    cell: Any,
    kernel: Kernel,
    name: str,
    N: int,
    T: int,
    threads: int,
    split: int,
    reverse: int,
    ragged: int,
    resets: int,
) -> Iterator[str]:
    p = {key: 0.4 * torch.randn(one.shape, dtype=torch.float64) for key, one in cell.parameters().items()}
    x = torch.randn(T, N, D, dtype=torch.float64)
    zeros = cell.initial_state(N, x)
    state, anew = ([0.5 * torch.randn_like(field).abs() for field in zeros] for _ in range(2))
    lengths = torch.randint(0, T + 1, (N,)) if ragged else None
    before = torch.rand(T, N) < 0.3 if resets else None
    traced = kernel.traced
    factors = [one.contiguous() for one in computed(traced, p, [*traced.matrices, *traced.vectors], x)]
    read = [one.requires_grad_() for one in (x, *factors, *state, *(anew if resets else ()))]
    count = len(factors)
    fields, starts = read[1 + count : 1 + count + len(state)], read[1 + count + len(state) :]
    given = Inputs("", x, read[1 : 1 + count], fields, lengths, None, (), bool(reverse), before, starts)
    outputs = compiled_reference._unrolled(kernel, given)[: 1 + len(state)]
    start = Resets(before, cell.State(*anew)) if resets else None
    ran = unroll(cell, p, x, cell.State(*state), lengths=lengths, reverse=bool(reverse), resets=start)
    for one, other in zip(outputs, (ran.output, *ran.final), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)  # the equations are those of the step
    upstream = [torch.randn_like(one) for one in outputs]
    grads = torch.autograd.grad(outputs, read, upstream, materialize_grads=True)
    beyond = torch.zeros(T, N, dtype=torch.bool) if lengths is None else torch.arange(T)[:, None] >= lengths
    hidden = [one.detach().masked_fill(beyond.unsqueeze(-1), torch.nan) for one in (x, upstream[0])]
    if lengths is not None:
        yield _array("int64_t", f"{name}_lengths", lengths.tolist())
    if before is not None:
        yield _array("uint8_t", f"{name}_resets", before.flatten().int().tolist())
    groups = {
        "read": [hidden[0], *read[1:]], "upstream": [hidden[1], *upstream[1:]], "made": outputs, "grads": grads,
    }  # fmt: skip
    for group, tensors in groups.items():
        for index, tensor in enumerate(tensors):
            yield _array("double", f"{name}_{group}{index}", _numbers(tensor))
    yield f"static Sequence {name}() {{"
    places = _or_null(lengths, name, "lengths"), _or_null(before, name, "resets")
    yield f"    Sequence s{{{N}, {T}, {threads}, {split}, {reverse}, {', '.join(places)}, {{}}, {{}}, {{}}, {{}}}};"
    for group, tensors in groups.items():
        all_of = ", ".join(f"{{{name}_{group}{index}, {tensor.numel()}}}" for index, tensor in enumerate(tensors))
        yield f"    s.{group} = {{{all_of}}};"
    yield "    return s;"
    yield "}"


def _or_null(there: Tensor | None, name: str, what: str) -> str:
    return "nullptr" if there is None else f"{name}_{what}"


def _numbers(tensor: Tensor) -> list[str]:
    found = tensor.detach().flatten().tolist()
    return ["NAN" if number != number else repr(number) for number in found]


def _array(kind: str, name: str, values: Sequence[Any]) -> str:
    return f"static const {kind} {name}[] = {{{', '.join(map(str, values)) or '0'}}};"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
