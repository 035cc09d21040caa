"""The simple recurrent network: one tanh over the input and the state before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from torch import Tensor
from torch.nn import functional as F

from ostinato.cells.contract import HiddenState, Parameter, gate_parameters, recurrent, require_whole
from ostinato.core.legend import Parameters
from ostinato.core.registry import register


@register
@dataclass(frozen=True)
class ElmanRNN:
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

    Equal to `torch.nn.RNN` with `nonlinearity="tanh"`.
    """

    name: ClassVar[str] = "rnn"
    gates: ClassVar[tuple[str, ...]] = ("h",)
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = "Elman 1990, Finding structure in time, Cognitive Science 14(2)"

    input_size: int
    hidden_size: int
    bias: bool = True

    def __post_init__(self) -> None:
        require_whole(self)

    @property
    def output_size(self) -> int:
        """H."""
        return self.hidden_size

    def parameters(self) -> Mapping[str, Parameter]:
        """torch.nn's four."""
        return gate_parameters(self)

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """W_ih x + b_ih."""
        return F.linear(x, p["weight_ih"], p.get("bias_ih"))

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        h = (projected + recurrent(p, state.h)).tanh()
        return h, HiddenState(h)

    def initial_state(self, batch_size: int, like: Tensor) -> HiddenState:
        """Zeros."""
        return HiddenState(like.new_zeros(batch_size, self.hidden_size))

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With and without biases."""
        return [cls(3, 5), cls(2, 4, bias=False)]
