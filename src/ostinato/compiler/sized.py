"""A cell's program for layers of every size: the stages' code, which is the same, and tables of formulas.

A number of a table is a sum of multiples of 1, D, H, R, and of H and R as planes are wide: h and r. Of what multiples,
layers of neighbouring sizes tell.
"""

import math
import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ostinato.compiler.direction import Direction
from ostinato.compiler.layout import Layout
from ostinato.compiler.trace import Traced

# Of which the tables are made, and for which they are checked. In the first, H + 1 and R + 1 are of the same planes.
_BASE, _CHECKED = (37, 197, 101), (5, 40, 9)
_TABLES = {
    "product": "products", "piece": "pieces", "operand": "operands", "back": "backs", "source": "sources",
    "weight_gradient": "weight_gradients", "vector_gradient": "vector_gradients", "vector_part": "vector_part",
    "state_part": "state_part",
}  # fmt: skip
_TYPES = {"vector_gradient": "vector_part"}


class NotSizedError(Exception):
    """A program that is another one in layers of other sizes."""


class _Tables(NamedTuple):
    """All numbers of a program by their names, rows in tables."""

    rows: dict[str, list[list[int]]]
    code: tuple[str, ...]
    stages: tuple[tuple[bool, ...], ...]
    over_chunk: dict[str, int]


def sized(
    name: str, program: Callable[[int, int, int], tuple[Traced, Layout]], own: Sequence[str], *, projects: bool
) -> str:
    """The struct of a program in C++, as `native/source/adapted.h` takes it.

    Args:
        name: the struct's.
        program: that of a layer of D, H and R.
        own: further lines of the struct.
        projects: whether R may differ from H.

    Raises:
        NotSizedError: there is no such struct.
    """

    def tables(D: int, H: int, R: int) -> _Tables:
        return _tables(*program(D, H, R if projects else H))

    formulas = _Formulas(tables, projects)
    made = formulas.base
    lines = [
        f"struct {name} {{",
        "    const int64_t D, H, R, h = plane(H), r = plane(R);",
        *(f"    {line}" for line in own),
        *(f"    const int64_t {key} = {formulas.text[key][0][0]};" for key in made.rows if key in _SIZES),
    ]
    for key, rows in formulas.text.items():
        if key in _TABLES:
            entries = ", ".join(f"{{{', '.join(row)}}}" for row in rows)
            lines.append(f"    const ostinato_{_TYPES.get(key, key)} {key}[{len(rows)}] = {{{entries}}};")
        elif key not in _SIZES:
            lines.append(f"    const int64_t {key}[{len(rows[0])}] = {{{', '.join(rows[0])}}};")
    wrapper = textwrap.TextWrapper(_WIDTH, "", " " * 8, break_long_words=False, break_on_hyphens=False)
    lines = [part for line in lines for part in wrapper.wrap(line)]
    for direction, code, stages in zip(("forward", "backward"), made.code, made.stages, strict=True):
        lines += ["", *(f"    {line}" if line else "" for line in code.splitlines())]
        names = ", ".join(f"{direction}_{index}" if there else "nullptr" for index, there in enumerate(stages))
        lines += ["", f"    static constexpr ostinato_stage {direction}_stages[] = {{{names}}};"]
        lines.append(f"    static constexpr int64_t {direction}_over_chunk = {made.over_chunk[direction]};")
    return "\n".join([*lines, "};"])


_WIDTH = 120
_SIZES: tuple[str, ...] = ("state_size", "kept_size", "vectors_size", "output_width")
_SIZES += tuple(f"{way}_{space}" for way in ("forward", "backward") for space in ("scratch", "chunk"))


def _tables(traced: Traced, layout: Layout) -> _Tables:
    directions: dict[str, Direction] = {"forward": layout.forward, "backward": layout.backward}
    sizes = [
        layout.state.size, layout.kept_space.size, layout.vectors.size,
        sum(layout.graph[at].width for at in layout.step.output),
        *(size for one in directions.values() for size in (one.scratch, one.chunk)),
    ]  # fmt: skip
    rows = {name: [[size]] for name, size in zip(_SIZES, sizes, strict=True)}
    rows |= {name: [list(row) for row in getattr(layout, attribute)] for name, attribute in _TABLES.items()}
    rows |= {
        "input_width": [[traced.input_width, *traced.noise]],
        "field_width": [list(traced.state_widths)],
        "matrix_shape": [[size for shape in traced.matrix_shapes for size in shape]],
        "vector_width": [[math.prod(shape) for shape in traced.shapes]],
    }
    rows |= {f"{name}_numbers": [list(one.numbers)] for name, one in directions.items()}
    both = directions.values()
    over_chunk = {name: one.form.over_chunk for name, one in directions.items()}
    return _Tables(rows, tuple(one.code for one in both), tuple(one.stages for one in both), over_chunk)


class _Formulas:
    """Each number's text."""

    def __init__(self, tables: Callable[[int, int, int], _Tables], projects: bool) -> None:
        D, H, R = _BASE
        self.base = tables(*_BASE)
        others = {"D": tables(D + 1, H, R), "H": tables(D, H + 1, R), "h": tables(D, H + 16, R)}
        if projects:
            others |= {"R": tables(D, H, R + 1), "r": tables(D, H, R + 16)}
        checked = tables(*_CHECKED)
        for other in (*others.values(), checked):
            if (other.code, other.stages) != (self.base.code, self.base.stages):
                raise NotSizedError("the code depends on the sizes")
        self.text: dict[str, list[list[str]]] = {}
        for key, rows in self.base.rows.items():
            self.text[key] = [
                [
                    self._formula(n, {name: t.rows[key][i][j] for name, t in others.items()}, checked.rows[key][i][j])
                    for j, n in enumerate(row)
                ]
                for i, row in enumerate(rows)
            ]

    def _formula(self, number: int, others: dict[str, int], checked: int) -> str:
        times = {name: others[name] - number for name in "DHR" if name in others}
        for name, whole in (("h", "H"), ("r", "R")):
            if name in others:
                times[name] = (others[name] - number) // 16 - times[whole]
        rest = number - self._value(times, _BASE)
        if self._value(times, _CHECKED) + rest != checked:
            raise NotSizedError("a number that is no sum of multiples of sizes")
        terms = [name if count == 1 else f"{count} * {name}" for name, count in times.items() if count]
        return " + ".join(terms + ([str(rest)] if rest or not terms else []))

    def _value(self, times: dict[str, int], sizes: Sequence[int]) -> int:
        D, H, R = sizes
        values = {"D": D, "H": H, "R": R, "h": -(-H // 16) * 16, "r": -(-R // 16) * 16}
        return sum(count * values[name] for name, count in times.items())
