"""What a cell is: maths, not machinery.

A cell is one file that declares its parameters and its equations. Everything else, the loop over time, lengths,
stacking, both directions, dropout, kernels, the command line and the checks, works on this contract. The kernels
alone know cells by name: which of them has a native form, and what torch or ONNX call it; a cell they do not know runs
by the loop. `lstm.py` is the example to follow.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.core.errors import ConfigError, OptionTypeError
from ostinato.core.legend import Parameters
from ostinato.core.states import HiddenState as HiddenState
from ostinato.core.states import MemoryState as MemoryState

Initialiser = Callable[[Tensor, int], None]


def uniform(tensor: Tensor, hidden_size: int) -> None:
    """Fill in place from U(-1/sqrt(H), 1/sqrt(H)), as torch.nn's recurrent layers do."""
    bound = 1 / math.sqrt(hidden_size) if hidden_size else 0.0
    torch.nn.init.uniform_(tensor, -bound, bound)


def ones(tensor: Tensor, hidden_size: int) -> None:
    """Fill in place with 1: a gain that changes nothing."""
    torch.nn.init.ones_(tensor)


def zeros(tensor: Tensor, hidden_size: int) -> None:
    """Fill in place with 0: a shift that changes nothing."""
    torch.nn.init.zeros_(tensor)


class Parameter(NamedTuple):
    """Declaration of one tensor: its shape, and how a new layer fills it."""

    shape: tuple[int, ...]
    initialise: Initialiser = uniform


class Cell(Protocol):
    """The contract. An instance holds sizes and options, never tensors; most easily a frozen dataclass.

    The class is called with `input_size`, `hidden_size`, `bias` and its own options, all by name.

    Class attributes:
        name: what users and weights files call it; inside the package also the name of its file.
        gates: their order along the rows of the weights; torch.nn's where torch has the cell.
        State: a NamedTuple; its first field is what the cell feeds back into its recurrent product.
        paper: where the equations come from.
    """

    name: ClassVar[str]
    gates: ClassVar[tuple[str, ...]]
    State: ClassVar[type[Any]]
    paper: ClassVar[str]

    @property
    def input_size(self) -> int:
        """D."""

    @property
    def hidden_size(self) -> int:
        """H."""

    @property
    def bias(self) -> bool:
        """Whether the bias parameters exist."""

    @property
    def output_size(self) -> int:
        """O: features of an output."""

    def parameters(self) -> Mapping[str, Parameter]:
        """The tensors the equations use, in torch.nn's order where torch has the cell."""

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """All that is parallel over time: `[T, N, D] -> [T, N, G*H]`."""

    def step(self, p: Parameters, projected: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The equations: `[N, G*H]` and the state before -> output `[N, O]` and the state after."""

    def initial_state(self, batch_size: int, like: Tensor) -> Any:
        """The state before the first step, `[N, ...]` a field, with the dtype and device of `like`."""

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """Small configurations, one for each option, that the conformance checks run."""


def gate_parameters(cell: Cell, fed_back: int | None = None) -> dict[str, Parameter]:
    """torch.nn's four: `weight_ih [G*H, D]`, `weight_hh [G*H, fed_back]`, `bias_ih [G*H]` and `bias_hh [G*H]`.

    Args:
        cell: sizes, gates and whether there are biases.
        fed_back: features of what is fed back; H by default.
    """
    rows = len(cell.gates) * cell.hidden_size
    found = {
        "weight_ih": Parameter((rows, cell.input_size)),
        "weight_hh": Parameter((rows, cell.hidden_size if fed_back is None else fed_back)),
    }
    if cell.bias:
        found |= {"bias_ih": Parameter((rows,)), "bias_hh": Parameter((rows,))}
    return found


def recurrent(p: Parameters, h: Tensor, *, rows: slice | None = None, bias: bool = True) -> Tensor:
    """The recurrent product W_hh h + b_hh, `[N, R] -> [N, rows]`.

    Recurrent dropout reaches every cell here: where `unroll` has put its mask among the parameters, each use of the
    fed-back state is masked, while what a cell carries over directly (a GRU's z * h, an LSTM's c) is not.

    Args:
        p: parameters by name.
        h: what is fed back.
        rows: the gates wanted, as a slice of the rows of `weight_hh`; all of them by default.
        bias: add `bias_hh`, where there is one.
    """
    mask, w, b = p.get("recurrent_mask"), p["weight_hh"], p.get("bias_hh") if bias else None
    if rows is not None:
        w, b = w[rows], None if b is None else b[rows]
    return F.linear(h if mask is None else h * mask, w, b)


def require_positive(cell: Cell, **sizes: int) -> None:
    """Check the sizes of a cell.

    Raises:
        OptionTypeError: a size that is not a whole number.
        ConfigError: a size below 1.
    """
    check_sizes(cell.name, {"input_size": cell.input_size, "hidden_size": cell.hidden_size, **sizes})


def require_whole(cell: Cell) -> None:
    """Check the sizes of a cell that can be of no units or inputs for a single step, as torch.nn's cells can.

    Raises:
        OptionTypeError: a size that is not a whole number.
        ConfigError: a size below 0.
    """
    check_sizes(cell.name, {"input_size": cell.input_size, "hidden_size": cell.hidden_size}, least=0)


def check_flags(**flags: object) -> None:
    """Check options that are true or false.

    Raises:
        OptionTypeError: one that is neither.
    """
    for label, flag in flags.items():
        if not isinstance(flag, bool):
            raise OptionTypeError(f"{label} should be of type bool, got: {type(flag).__name__}, {flag!r}")


def check_sizes(name: str, sizes: Mapping[str, Any], least: int = 1) -> None:
    """Check sizes by their labels.

    Raises:
        OptionTypeError: a size that is not a whole number.
        ConfigError: a size below the least.
    """
    for label, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, Integral):
            raise OptionTypeError(
                f"{name}: {label} should be of type int, got: {type(size).__name__}; "
                f"expected a whole number of at least {least}, got {size!r}"
            )
        if size < least:
            bound = "greater than zero" if least else "zero or greater"
            raise ConfigError(f"{name}: {label} must be {bound}, a whole number of at least {least}, got {size!r}")
