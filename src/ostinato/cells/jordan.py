"""The Jordan network: what is fed back is the output, not the hidden layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from ostinato.cells.contract import CellDefaults, Parameter, linear, recurrent, require_positive
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


class OutputState(NamedTuple):
    """`y` [N, O], the output before."""

    y: Tensor


@register
@dataclass(frozen=True)
class JordanRNN(CellDefaults):
    """The hidden layer sees the input and the last output; only the output is remembered.

        h_t = tanh(W_ih x_t + b_ih + W_hh y_{t-1} + b_hh)
        y_t = tanh(W_ho h_t + b_ho)

    Jordan's context units also fed back on themselves with a fixed weight; that part is left out here, as it is in the
    textbooks.

    Attributes:
        output_units: O, the width of the output that is fed back; 0 means H.
    """

    name: ClassVar[str] = "jordan"
    gates: ClassVar[tuple[str, ...]] = ("h",)
    State: ClassVar[type[OutputState]] = OutputState
    paper: ClassVar[str] = "Jordan 1986, Serial order: a parallel distributed processing approach, ICS report 8604"
    width_option: ClassVar[str] = "output_units"
    native: ClassVar[bool] = True

    input_size: int
    hidden_size: int
    bias: bool = True
    output_units: int = 0

    def __post_init__(self) -> None:
        require_positive(self, output_units=self.output_size)

    def parameters(self) -> Mapping[str, Parameter]:
        """The usual four, then the output layer: `weight_ho` [O, H] and `bias_ho` [O]."""
        output = {"weight_ho": Parameter((self.output_size, self.hidden_size), role="output")}
        if self.bias:
            output["bias_ho"] = Parameter((self.output_size,), role="output")
        return {**super().parameters(), **output}

    def step(self, p: Parameters, projected: Tensor, state: OutputState) -> tuple[Tensor, OutputState]:
        """One step of the recurrence."""
        h = (projected + recurrent(p, state.y)).tanh()
        y = linear(h, p["weight_ho"], p.get("bias_ho")).tanh()
        return y, OutputState(y)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """Output as wide as the hidden layer, narrower, and without biases."""
        return [cls(3, 5), cls(3, 5, output_units=2), cls(2, 4, bias=False)]
