"""The Jordan network: what is fed back is the output, not the hidden layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

from torch import Tensor
from torch.nn import functional as F

from ostinato.cells.contract import Parameter, gate_parameters, recurrent, require_positive
from ostinato.core.legend import Parameters
from ostinato.core.registry import register


class OutputState(NamedTuple):
    """`y` [N, O], the output before."""

    y: Tensor


@register
@dataclass(frozen=True)
class JordanRNN:
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

    input_size: int
    hidden_size: int
    bias: bool = True
    output_units: int = 0

    def __post_init__(self) -> None:
        require_positive(self, output_units=self.output_size)

    @property
    def output_size(self) -> int:
        """O: `output_units`, or H."""
        return self.output_units or self.hidden_size

    def parameters(self) -> Mapping[str, Parameter]:
        """The usual four, then the output layer: `weight_ho` [O, H] and `bias_ho` [O]."""
        output = {"weight_ho": Parameter((self.output_size, self.hidden_size))}
        if self.bias:
            output["bias_ho"] = Parameter((self.output_size,))
        return gate_parameters(self, fed_back=self.output_size) | output

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """W_ih x + b_ih."""
        return F.linear(x, p["weight_ih"], p.get("bias_ih"))

    def step(self, p: Parameters, projected: Tensor, state: OutputState) -> tuple[Tensor, OutputState]:
        """One step of the recurrence."""
        h = (projected + recurrent(p, state.y)).tanh()
        y = F.linear(h, p["weight_ho"], p.get("bias_ho")).tanh()
        return y, OutputState(y)

    def initial_state(self, batch_size: int, like: Tensor) -> OutputState:
        """Zeros."""
        return OutputState(like.new_zeros(batch_size, self.output_size))

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """Output as wide as the hidden layer, narrower, and without biases."""
        return [cls(3, 5), cls(3, 5, output_units=2), cls(2, 4, bias=False)]
