"""The quasi-recurrent network: convolutions over time, and a pooling that is all of the recurrence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from ostinato.cells.contract import CellDefaults, Parameter, input_parameters, linear, require_positive
from ostinato.core.errors import ConfigError
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


class PooledState(NamedTuple):
    """State of a QRNN: `c` [N, H], and `before` [N, 3H], what the input before adds to the step; [N, 0] of width 1."""

    c: Tensor
    before: Tensor


class _Gates:
    def __get__(self, cell: QRNN | None, kind: type[Any]) -> tuple[str, ...]:
        gates = ("z", "f", "o")
        return gates if cell is None or cell.width == 1 else (*gates, *(f"{gate}_next" for gate in gates))


@register
@dataclass(frozen=True)
class QRNN(CellDefaults):
    """fo-pooling of a convolution over this input and the one before it.

        z_t =    tanh(W_z x_t + V_z x_{t-1} + b_z)
        f_t = sigmoid(W_f x_t + V_f x_{t-1} + b_f)
        o_t = sigmoid(W_o x_t + V_o x_{t-1} + b_o)
        c_t = f_t * c_{t-1} + (1 - f_t) * z_t
        h_t = o_t * c_t

    The state carries V x_t to the next step. Before the first, x is zero; in reverse, x_{t-1} is the step read before.

    Attributes:
        width: of the convolution's kernel: 2, or 1 for a cell without V.
    """

    name: ClassVar[str] = "qrnn"
    gates: ClassVar[tuple[str, ...]] = _Gates()  # type: ignore[assignment]
    State: ClassVar[type[PooledState]] = PooledState
    paper: ClassVar[str] = "Bradbury, Merity, Xiong, Socher 2017, Quasi-recurrent neural networks, arXiv:1611.01576"
    output_is_state: ClassVar[bool] = False

    input_size: int
    hidden_size: int
    bias: bool = True
    width: int = 2

    def __post_init__(self) -> None:
        require_positive(self)
        if self.width not in (1, 2):
            raise ConfigError(f"qrnn: width must be 1 or 2, got {self.width!r}")

    def parameters(self) -> Mapping[str, Parameter]:
        """`weight_ih` [3H, D], W, `weight_before` [3H, D], V, and `bias_ih` [3H]."""
        rows = 3 * self.hidden_size
        found = input_parameters(self, rows)
        before = {"weight_before": Parameter((rows, self.input_size), role="input")}
        return found | (before if self.width == 2 else {})

    def state_sizes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each field of the state behind N."""
        return {"c": (self.hidden_size,), "before": (3 * self.hidden_size * (self.width - 1),)}

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """W x + b, and V x for the step after."""
        import torch

        product = linear(x, p["weight_ih"], p.get("bias_ih"))
        return product if self.width == 1 else torch.cat([product, linear(x, p["weight_before"])], -1)

    def step(self, p: Parameters, projected: Tensor, state: PooledState) -> tuple[Tensor, PooledState]:
        """One step of the recurrence."""
        c, before = state
        if self.width == 2:
            projected, after = projected.chunk(2, dim=-1)
            projected, before = projected + before, after
        z, f, o = projected.chunk(3, dim=-1)
        f = f.sigmoid()
        c = f * c + (1 - f) * z.tanh()
        return o.sigmoid() * c, PooledState(c, before)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With a kernel of two steps, and of one and without biases."""
        return [cls(3, 5), cls(2, 4, bias=False, width=1)]
