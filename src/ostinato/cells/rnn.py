"""The simple recurrent network: one tanh over the input and the state before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from torch import Tensor
from torch.nn import functional as F

from ostinato.cells.activations import Activation, activate, check_activations
from ostinato.cells.contract import HiddenState, Parameter, gate_parameters, recurrent, require_whole
from ostinato.core.legend import Parameters
from ostinato.core.registry import register


@register
@dataclass(frozen=True)
class ElmanRNN:
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

    Equal to `torch.nn.RNN` with `nonlinearity="tanh"`.

    Attributes:
        activation: in place of tanh: a name such as "softsign", or a function. As clip, on the reference where it is
            not the usual one.
        clip: bounds the sum that goes into it to -clip and clip.
    """

    name: ClassVar[str] = "rnn"
    gates: ClassVar[tuple[str, ...]] = ("h",)
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = "Elman 1990, Finding structure in time, Cognitive Science 14(2)"

    input_size: int
    hidden_size: int
    bias: bool = True
    activation: Activation = "tanh"
    clip: float | None = None

    def __post_init__(self) -> None:
        require_whole(self)
        check_activations(self)

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
        h = activate(self, projected + recurrent(p, state.h))
        return h, HiddenState(h)

    def initial_state(self, batch_size: int, like: Tensor) -> HiddenState:
        """Zeros."""
        return HiddenState(like.new_zeros(batch_size, self.hidden_size))

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With and without biases, with other activations."""
        return [cls(3, 5), cls(2, 4, bias=False), cls(3, 5, activation="softsign", clip=1.0)]
