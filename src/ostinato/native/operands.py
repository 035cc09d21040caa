"""The tables of operands: all that a kernel reads and writes, once.

From them come the C structs (`header.py`), their ctypes twins (`library.py`), torch's operators with their fake shapes
and gradients (`kernels.native_calls`, `native_operators`) and what the NumPy runtime hands over. Another operand is
another row, and the C++ that uses it. No torch here.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple

#: Of the C interface: goes up where a struct or what a function expects has changed; not where there is another one.
ABI = 10


class Role(Enum):
    """When an operand is read or written, in the structs' order; the value is the heading there."""

    CHOICE = "What to compute"
    SIZE = "Sizes"
    READ = "Read by forward and backward"
    KEPT = "Written by forward, read by backward"
    WRITTEN = "Written by forward"
    CHANGED = "Read and written"
    UPSTREAM = "Read by backward: gradients of the loss, NULL for zero; of any content beyond the lengths"
    GRADIENT = "Written by backward, all of it (nothing is added to what is there); matrices all or none"
    SCRATCH = "Scratch, aligned to 64 bytes"


# Types of choices in a schema of torch's.
_SCHEMA = {"str": "str", "flag": "bool"}


class Operand(NamedTuple):
    """A row.

    Attributes:
        name: of the struct's field and of the operator's argument.
        role: when it is read or written.
        shape: in the legend's letters, "G*H, D"; of a choice or a size, which are one integer, "".
        text: what it is, for the header; what the shape and `optional` say is not said again.
        dtype: "number" (float32 to the library, float32 or bfloat16 to torch), or exactly "float32", "int64", "bool" or
            "bytes". Of a choice that is an argument of the operators: "str" or "flag".
        optional: may be NULL.
        differentiable: of what is read: has a gradient, `grad_NAME`; of what is written: the loss may depend on it, and
            its gradient comes back as `grad_NAME`.
        strided: all dimensions but the last may lie at any stride; these travel as `NAME_stride_LETTER`.
        kind: "matrix" (multiplies; the gradients of all of them are computed together), "weight" (packed as matrices
            are), "noise", "memory" (of cells with a memory alone) or "".
    """

    name: str
    role: Role
    shape: str
    text: str = ""
    dtype: str = "number"
    optional: bool = False
    differentiable: bool = False
    strided: bool = False
    kind: str = ""

    @property
    def strides(self) -> tuple[str, ...]:
        """Names of the strides that travel."""
        axes = self.shape.split(", ")[:-1] if self.strided else ()
        return tuple(f"{self.name}_stride_{axis.lower()}" for axis in axes)

    @property
    def is_array(self) -> bool:
        """Whether it is an address, and not an integer."""
        return self.role not in (Role.CHOICE, Role.SIZE)


class Table:
    """The operands of one kind of run.

    Args:
        rows: in the order of the operators' arguments and results; gradients are added to them. What came after the
            first version stands after the last choice that is an argument: graphs that torch has written since name
            the arguments, and read on.

    Attributes:
        rows: all of them, in the struct's order: role by role.
        arguments: the operators', in their order.
        first: how many of them stand up to the last choice; the others may be left out.
        fields: names of the struct's fields, and whether each is an address.
    """

    def __init__(self, *rows: Operand) -> None:
        by = [row for row in rows if row.differentiable and row.role is Role.READ]
        of = [row for row in rows if row.differentiable and row.role is not Role.READ]
        grads = [row._replace(role=Role.GRADIENT, text="", dtype="number", optional=True, strided=False) for row in by]
        grads += [row._replace(role=Role.UPSTREAM, text="", optional=True) for row in of]
        order = list(Role)
        added = [row._replace(name=f"grad_{row.name}", differentiable=False) for row in grads]
        self.rows = tuple(sorted([*rows, *added], key=lambda row: order.index(row.role)))
        choices = [row for row in rows if row.role is Role.CHOICE and row.dtype in _SCHEMA]
        self.arguments = tuple(row for row in rows if row.role is Role.READ or row in choices)
        self.first = 1 + max((self.arguments.index(row) for row in choices), default=len(self.arguments) - 1)
        self.fields: list[tuple[str, bool]] = []
        for row in self.rows:
            self.fields += [(row.name, row.is_array), *((stride, False) for stride in row.strides)]

    def of(self, *roles: Role, kind: str | None = None) -> tuple[Operand, ...]:
        """Rows of these roles, and of this kind where one is asked for."""
        return tuple(row for row in self.rows if row.role in roles and kind in (None, row.kind))


def shapes_of(rows: Iterable[Operand], letters: str) -> Callable[..., tuple[tuple[Any, ...], ...]]:
    """A function from sizes, in the order of `letters`, to the rows' shapes: compiled once, for each call counts."""
    shapes = "".join(f"({row.shape},), " for row in rows)
    if unknown := set(re.findall(r"[A-Za-z]+", shapes)) - set(letters):
        raise ValueError(f"shapes in {', '.join(letters)}, got {', '.join(sorted(unknown))}")
    made: Callable[..., tuple[tuple[Any, ...], ...]] = eval(f"lambda {', '.join(letters)}: ({shapes})")
    return made


def signature(rows: Sequence[Operand]) -> str:
    """The rows as arguments in a schema of torch's."""
    types = (_SCHEMA.get(row.dtype, "Tensor?" if row.optional else "Tensor") for row in rows)
    return ", ".join(f"{kind} {row.name}" for kind, row in zip(types, rows, strict=True))


_C, _S, _IN, _OUT = Role.CHOICE, Role.SIZE, Role.READ, Role.WRITTEN
_MAY: dict[str, Any] = {"optional": True, "differentiable": True}

#: A cell over whole sequences, forward and backward: `ostinato_run`.
RUN = Table(
    Operand("cell", _C, "", "index by ostinato_cell", "str"),
    Operand("isa", _C, "", "index by ostinato_isa; the machine must support it"),
    Operand("precision", _C, "", "OSTINATO_HIGHEST, _HIGH, _MEDIUM or _INT8"),
    Operand("threads", _C, "", "at most this many, 1 or more"),
    Operand("split", _C, "", "OSTINATO_SPLIT_*"),
    *(Operand(letter, _S, "") for letter in "NTDHR"),
    Operand("E", _S, "", "rows of `extra`; what a cell has more is zero"),
    Operand("x", _IN, "T, N, D", "features side by side", differentiable=True, strided=True),
    Operand("weight_ih", _IN, "G*H, D", "gates in the order of torch.nn", differentiable=True, kind="matrix"),
    Operand("weight_hh", _IN, "G*H, R", differentiable=True, kind="matrix"),
    Operand("bias_ih", _IN, "G*H", kind="weight", **_MAY),
    Operand("bias_hh", _IN, "G*H", kind="weight", **_MAY),
    Operand("extra", _IN, "E, H", "weights that a unit has beside the products", kind="weight", **_MAY),
    Operand("weight_out", _IN, "R, H", "lstm_projected, jordan", kind="matrix", **_MAY),
    Operand("bias_out", _IN, "R", kind="weight", **_MAY),
    Operand("h0", _IN, "N, R", differentiable=True),
    Operand("c0", _IN, "N, H", kind="memory", **_MAY),
    Operand("lengths", _IN, "N", "if not, all are T", "int64", optional=True),
    Operand("recurrent_mask", _IN, "N, R", "h is multiplied by it where it is fed back", optional=True, kind="noise"),
    Operand("zoneout_h", _IN, "T, N, R", "share of h that stays in a step", optional=True, strided=True, kind="noise"),
    Operand("zoneout_c", _IN, "T, N, H", "the same of c", optional=True, strided=True, kind="noise"),
    Operand("reverse", _C, "", "0 or 1", "flag"),
    Operand("resets", _IN, "T, N", "before these steps a sequence's state is that of a reset", "bool", optional=True),
    Operand("reset_h", _IN, "N, R", "needed with `resets`", **_MAY),
    Operand("reset_c", _IN, "N, H", "the same", kind="memory", **_MAY),
    Operand("output", Role.KEPT, "T, N, R", differentiable=True),
    Operand("saved", Role.KEPT, "K", "if not, no backward will follow", "float32", optional=True),
    Operand("final_h", _OUT, "N, R", "may be h0 itself where `saved` is NULL", differentiable=True),
    Operand("final_c", _OUT, "N, H", "may be c0 itself where `saved` is NULL", kind="memory", **_MAY),
    Operand("states_c", _OUT, "T, N, H", "c after every step; needs `saved`", kind="memory", **_MAY),
    Operand("workspace", Role.SCRATCH, "", "of ostinato_workspace_size; of any content", "bytes"),
    Operand("packed", Role.SCRATCH, "", "from ostinato_pack: read instead of all weights", "bytes", optional=True),
)

#: A softmax over each of M rows of V scores: `ostinato_softmax`.
SOFTMAX = Table(
    Operand("isa", _C, "", "as above"),
    Operand("bfloat16", _C, "", "1: the scores are of bfloat16, not of float32"),
    Operand("threads", _C, "", "at most this many, 1 or more"),
    *(Operand(letter, _S, "") for letter in "MV"),
    Operand("weights", _IN, "M", "needed where `total` is wanted", "float32", optional=True),
    Operand("largest", _OUT, "M", "each row's largest score", "float32"),
    Operand("sum", _OUT, "M", "each row's sum of exponentials", "float32"),
    Operand(
        "total",
        _OUT,
        "threads, V",
        "first the rows' probabilities, times `weights`, added up",
        "float32",
        optional=True,
    ),
    Operand("scores", Role.CHANGED, "M, V", "become exp(score - the row's largest)", "bytes"),
)

#: A product of two matrices: `ostinato_matmul`.
MATMUL = Table(
    Operand("isa", _C, "", "as above"),
    Operand("threads", _C, "", "at most this many, 1 or more"),
    Operand("transposed_a", _C, "", "1: a is [K, M]"),
    Operand("transposed_b", _C, "", "1: b is [N, K]"),
    Operand("add", _C, "", "1: to what c holds"),
    Operand("dots", _C, "", "1: b, which is transposed, is read where it lies: for few rows; a is not transposed"),
    *(Operand(letter, _S, "") for letter in "MNK"),
    Operand("a_stride", _S, "", "floats from a row to the next, in memory"),
    Operand("b_stride", _S, "", "the same"),
    Operand("c_stride", _S, "", "the same"),
    Operand("a", _IN, "M, K", dtype="float32"),
    Operand("b", _IN, "K, N", dtype="float32"),
    Operand("bias", _IN, "N", "added to every row", "float32", optional=True),
    Operand("c", Role.CHANGED, "M, N", dtype="float32"),
    Operand("workspace", Role.SCRATCH, "", "of ostinato_matmul_workspace_size; of any content", "bytes"),
)

#: A linear layer over M rows, its weights in 8 bits: `ostinato_linear`.
LINEAR = Table(
    Operand("isa", _C, "", "as above"),
    Operand("threads", _C, "", "at most this many, 1 or more"),
    *(Operand(letter, _S, "") for letter in "MDV"),
    Operand("x", _IN, "M, D", dtype="float32"),
    Operand("weight", _IN, "V, D", "read when it is packed", "float32", optional=True),
    Operand("bias", _IN, "V", "the same", "float32", optional=True),
    Operand("output", _OUT, "M, V", dtype="float32"),
    Operand("workspace", Role.SCRATCH, "", "of ostinato_linear_workspace_size; of any content", "bytes"),
    Operand("packed", Role.SCRATCH, "", "from ostinato_linear_pack", "bytes"),
)
