"""What a cell is: maths, not machinery.

A cell is one file that declares its parameters and its equations. Everything else, the loop over time, lengths,
stacking, both directions, dropout, kernels, the command line and the checks, works on this contract, and nothing
outside of `cells/` and the native sources goes by a cell's name. `lstm.py` is the example to follow.

What a cell declares can be read where torch is not installed: its file imports torch for the type checker alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, Self, TypeAlias

from ostinato.core.errors import ConfigError, OptionTypeError
from ostinato.core.states import HiddenState as HiddenState
from ostinato.core.states import MemoryState as MemoryState

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters

Initialiser: TypeAlias = "Callable[[Tensor, int], None]"

#: What a parameter is for: the product with the input, or with the state before the step, and their biases; the layer
#: behind the memory, whose output is fed back; weights that each unit has beside the products, `[k*H]`.
Role = Literal["input", "recurrent", "output", "unit"]


def uniform(tensor: Tensor, hidden_size: int) -> None:
    """Fill in place from U(-1/sqrt(H), 1/sqrt(H)), as torch.nn's recurrent layers do."""
    from torch.nn import init

    bound = 1 / math.sqrt(hidden_size) if hidden_size else 0.0
    init.uniform_(tensor, -bound, bound)


def ones(tensor: Tensor, hidden_size: int) -> None:
    """Fill in place with 1: a gain that changes nothing."""
    from torch.nn import init

    init.ones_(tensor)


def zeros(tensor: Tensor, hidden_size: int) -> None:
    """Fill in place with 0: a shift that changes nothing."""
    from torch.nn import init

    init.zeros_(tensor)


def lecun(tensor: Tensor, hidden_size: int) -> None:
    """Fill in place from N(0, 1 / columns): products of inputs of variance 1 have variance 1."""
    tensor.normal_(0, tensor.shape[1] ** -0.5)


def constant(tensor: Tensor, hidden_size: int, *, value: float) -> None:
    """Fill in place with a value."""
    tensor.fill_(value)


class Parameter(NamedTuple):
    """Declaration of one tensor: its shape, how a new layer fills it, and what it is for where the cell says so."""

    shape: tuple[int, ...]
    initialise: Initialiser = uniform
    role: Role | None = None


class OnnxOperator(NamedTuple):
    """ONNX's operator that has a cell's equations.

    Attributes:
        name: its name.
        gates: the cell's, in the operator's order.
        attributes: what it has beside `hidden_size`, `direction`, activations and clip, by name.
        peepholes: the parameters of its input P, in its order.
    """

    name: str
    gates: tuple[str, ...]
    attributes: Mapping[str, Any] = {}
    peepholes: tuple[str, ...] = ()


class Cell(Protocol):
    """The contract. An instance holds sizes and options, never tensors; most easily a frozen dataclass.

    The class is called with `input_size`, `hidden_size`, `bias` and its own options, all by name. This is what every
    cell has; `CellDefaults` has most of it, and the declarations that a cell can make beyond: its docstring tells of
    these. Of a cell without them, `cells.form` finds out what it can.

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


class CellDefaults:
    """What most cells share: to derive from, and to replace where a cell differs.

    As it stands: sizes of at least 1; outputs of H features, which are the first field of the state; a state of zeros,
    that field as wide as the output and every other of H units; and W_ih x + b_ih as all that is parallel over time.

    A cell may also have `readout(p, states)`: its outputs `[T, N, O]` from the states after every step, `[T, N, ...]` a
    field, where they need no recurrence. Its `step` then gives None in place of the output.

    Class attributes:
        output_is_state: whether a step's output is the first field of the state after it, so that zoneout holds both.
        width_option: the option that says how wide the output is where it is not of H features; empty where none is.
        torch_mode: the `mode` of the torch.nn layer that has these equations and parameters, such as "LSTM".
        onnx: the operator of ONNX that has these equations.
        projected_kernel: what the native library calls the cell with an output layer, where that has its own kernel.
        native: of a cell of the package's, whether its library has a kernel of it, which `make kernels` writes.
    """

    output_is_state: ClassVar[bool] = True
    width_option: ClassVar[str] = ""
    torch_mode: ClassVar[str] = ""
    onnx: ClassVar[OnnxOperator | None] = None
    projected_kernel: ClassVar[str] = ""
    native: ClassVar[bool] = False

    if TYPE_CHECKING:
        name: ClassVar[str]
        gates: ClassVar[tuple[str, ...]]
        State: ClassVar[type[Any]]
        input_size: int  # D
        hidden_size: int  # H
        bias: bool  # whether the bias parameters exist

    def __post_init__(self) -> None:
        require_positive(self)

    @property
    def output_size(self) -> int:
        """O: what the `width_option` says, or H."""
        width: int = getattr(self, self.width_option) if self.width_option else 0
        return width or self.hidden_size

    @property
    def projected_size(self) -> int:
        """Numbers that `project` gives for each step: G*H, a block for each gate."""
        return len(self.gates) * self.hidden_size

    @property
    def feeds_back(self) -> bool:
        """Whether a step multiplies the state before it by a parameter."""
        return any(declared.role == "recurrent" for declared in self.parameters().values())

    def parameters(self) -> Mapping[str, Parameter]:
        """torch.nn's four: see `gate_parameters`."""
        return gate_parameters(self, fed_back=self.output_size)

    def state_sizes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each field of the state behind N."""
        first, *others = self.State._fields
        return {first: (self.output_size,), **dict.fromkeys(others, (self.hidden_size,))}

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """W_ih x + b_ih."""
        return linear(x, p["weight_ih"], p.get("bias_ih"))

    def initial_state(self, batch_size: int, like: Tensor) -> Any:
        """Zeros."""
        return self.State(*[like.new_zeros(batch_size, *size) for size in self.state_sizes().values()])

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With and without biases, and with other activations where a cell has the options of `USUAL`."""
        others = {"activation": "softsign", "recurrent_activation": "hard_sigmoid", "clip": 1.0}
        own = {name: value for name, value in others.items() if hasattr(cls, name)}
        sizes = {"input_size": 3, "hidden_size": 5}
        return [cls(**sizes), cls(input_size=2, hidden_size=4, bias=False), *([cls(**sizes, **own)] if own else [])]  # type: ignore[call-arg]


def gate_parameters(cell: Cell | CellDefaults, fed_back: int | None = None) -> dict[str, Parameter]:
    """torch.nn's four: `weight_ih [G*H, D]`, `weight_hh [G*H, fed_back]`, `bias_ih [G*H]` and `bias_hh [G*H]`.

    Args:
        cell: sizes, gates and whether there are biases.
        fed_back: features of what is fed back; H by default.
    """
    rows = len(cell.gates) * cell.hidden_size
    found = {
        "weight_ih": Parameter((rows, cell.input_size), role="input"),
        "weight_hh": Parameter((rows, cell.hidden_size if fed_back is None else fed_back), role="recurrent"),
    }
    if cell.bias:
        found |= {"bias_ih": Parameter((rows,), role="input"), "bias_hh": Parameter((rows,), role="recurrent")}
    return found


def input_parameters(cell: Cell | CellDefaults, rows: int = 0) -> dict[str, Parameter]:
    """Those of a cell without a recurrent product: `weight_ih [rows, D]` and `bias_ih [rows]`, G*H rows by default."""
    rows = rows or len(cell.gates) * cell.hidden_size
    found = {"weight_ih": Parameter((rows, cell.input_size), role="input")}
    return found | ({"bias_ih": Parameter((rows,), role="input")} if cell.bias else {})


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """W x + b, `[..., columns] -> [..., rows]`: `torch.nn.functional.linear`, for files that import no torch."""
    from torch.nn import functional as F

    return F.linear(x, weight, bias)


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
    return linear(h if mask is None else h * mask, w, b)


def require_positive(cell: Cell | CellDefaults, **sizes: int) -> None:
    """Check the sizes of a cell.

    Raises:
        OptionTypeError: a size that is not a whole number.
        ConfigError: a size below 1.
    """
    check_sizes(cell.name, {"input_size": cell.input_size, "hidden_size": cell.hidden_size, **sizes})


def require_whole(cell: Cell | CellDefaults) -> None:
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
