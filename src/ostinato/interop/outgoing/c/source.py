"""A header and a source file, put together of parts: what the room gives, and a sample to try them by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ostinato.interop.outgoing.c import mathematics
from ostinato.interop.outgoing.c.arrays import Arrays
from ostinato.interop.outgoing.c.steps import StepFunction
from ostinato.interop.outgoing.c.text import comment, function, indented, require_apart, with_name, wrapped

_WIDE = 12  # letters of a value beyond which others are not lined up with it

#: Defines that may be given to the compiler instead.
_CHANGED = ("MAX_STEPS",)


@dataclass
class Source:
    """What is written, in the order of the files.

    Attributes:
        name: begins all names that the files make public.
        about: lines of what the model is, for the comment at the head.
        arrays: the weights.
        functions: of mathematics that are called.
        stack_bytes: of the arrays of the deepest function.
        defines: name without the prefix, value and what it is.
        types: structs of the header.
        declarations: functions of the header, each with its comment.
        code: functions of the source.
        usage: lines of C for the comment at the head.
    """

    name: str
    about: Sequence[str]
    arrays: Arrays
    functions: frozenset[str] = frozenset()
    stack_bytes: int = 0
    defines: dict[str, tuple[str, str]] = field(default_factory=dict)
    types: list[str] = field(default_factory=list)
    declarations: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    usage: list[str] = field(default_factory=list)
    rows: bool = False  # whether rows of a matrix are looked up

    def define(self, name: str, value: int | str, meaning: str) -> None:
        """A number of the header."""
        self.defines[name] = str(value), meaning

    def add_step(self, step: StepFunction) -> None:
        """A layer's struct and its step."""
        members = [f"float {name}[{width}];" for name, width in step.fields.items()]
        self.types.append("\n".join([f"struct @_{step.name} {{", *indented(members), "};"]))
        self.steps.append(step.text.replace(f"struct {step.name} ", f"struct @_{step.name} "))

    def add_state(self, members: Sequence[str], reset: Sequence[str], what: str = "sequence") -> None:
        """The struct that goes from step to step, and the function that begins `what` is read: a sequence, a text."""
        head = "void @_reset(struct @_state *state)"
        self.types.append("\n".join(["struct @_state {", *indented(members), "};"]))
        self.code.append(function(head, reset))
        self.declare(f"{head};", f"Begin a {what}.")

    def add_workspace(self, members: Sequence[str]) -> None:
        """The struct that a call works in."""
        about = "/* Room to work in, of @@_WORKSPACE_BYTES; what is in it before a call does not matter. */"
        self.types.append("\n".join([about, "struct @_workspace {", *indented(members), "};"]))

    def declare(self, text: str, meaning: str) -> None:
        """A function, or a table, of the header."""
        self.declarations.append(f"{wrapped(f'/* {meaning} */', '   ')}\n{wrapped(text)}")

    def header(self, file: str) -> str:
        """The .h."""
        guard = "@@_H"
        self.defines["WEIGHTS_BYTES"] = str(self.arrays.bytes), "bytes of constants: weights, scales, tables"
        self.defines["STACK_BYTES"] = str(self.stack_bytes), "bytes of arrays on the stack, about"
        width = max(len(name) for name in self.defines) + len(self.name) + 1
        values = max(len(value) for value, _ in self.defines.values() if len(value) < _WIDE)
        lines = []
        for name, (value, meaning) in self.defines.items():
            full = f"{self.name.upper()}_{name}"
            line = f"#define {full.ljust(width)} {value.ljust(values)} /* {meaning} */"
            lines += [f"#ifndef {full}", line, "#endif"] if name in _CHANGED else [line]
        parts = [
            self._head(file),
            f"#ifndef {guard}\n#define {guard}",
            "#include <stdint.h>",
            '#ifdef __cplusplus\nextern "C" {\n#endif',
            "\n".join(lines),
            *self.types,
            *self.declarations,
            "#ifdef __cplusplus\n}\n#endif",
            "#endif",
        ]
        return with_name("\n\n".join(parts), self.name) + "\n"

    def _head(self, file: str) -> str:
        kept = "int8, a scale for each row" if self.arrays.quantized else "float32"
        how = [
            f"Weights are {kept}. C99; nothing is allocated; of the C library only <math.h> is used,",
            "and with -D@@_NO_LIBM nothing. Compile @.c along; all state is in structs of yours, so that several",
            "may be in use at once, on several threads.",
        ]
        about = wrapped("\n".join(map(comment, self.about)), "").split("\n")
        lines = [
            *about,
            "",
            *how,
            "",
            *(f"    {line}" for line in self.usage),
        ]
        body = "\n".join(f" * {line}" if line else " *" for line in lines)
        return f"/* {file}, made by ostinato export.\n *\n{body}\n */"

    def text(self) -> str:
        """The .c.

        Raises:
            ConfigError: `name` begins names that the files have within, too.
        """
        product = mathematics.MULTIPLY_INT8 if self.arrays.quantized else mathematics.MULTIPLY
        row = mathematics.ROW_OF_INT8 if self.arrays.quantized else mathematics.ROW_OF
        parts = [
            "/* See @.h. What is public comes last but for the weights, which the file ends with. */",
            '#include "@.h"\n#include <stddef.h>',
            mathematics.mathematics(self.functions),
            product,
            *([row] if self.rows else []),
            self.arrays.declarations(),
            *self.steps,
            *self.code,
            self.arrays.definitions(),
        ]
        written = "\n\n".join(part for part in parts if part)
        require_apart("\n".join([*self.types, *self.declarations, written]), self.name)
        return with_name(written, self.name) + "\n"


class Program(NamedTuple):
    """A model in C.

    Attributes:
        name: begins all names of the files.
        header: of NAME.h.
        source: of NAME.c.
        driver: a main function that answers examples from standard input, as a `Sample` has them.
        weight_bytes: of all constants.
    """

    name: str
    header: str
    source: str
    driver: str
    weight_bytes: int


class Sample(NamedTuple):
    """Random inputs, and what the run makes of them.

    Attributes:
        given: what a program's driver reads.
        expected: what it is to write, of its dtype.
        unit: what a difference is measured by, of a shape that goes with `expected`.
        inputs: how many.
    """

    given: bytes
    expected: npt.NDArray[Any]
    unit: npt.NDArray[Any] | np.float32
    inputs: int

    def difference(self, output: bytes) -> float:
        """The largest difference of an output: absolute of numbers up to 1 in these units, relative of larger ones.

        Infinite where they are not as many numbers, or one is none.
        """
        found = np.frombuffer(output, self.expected.dtype)
        if found.size != self.expected.size:
            return float("inf")
        apart = np.abs(found.reshape(self.expected.shape) - self.expected) / self.unit
        most = (apart / np.maximum(np.abs(self.expected / self.unit), 1.0)).max(initial=0.0)
        return float(most) if most == most else float("inf")
