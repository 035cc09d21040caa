"""The simple recurrent network with rectified units."""

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
class ReluRNN:
    """h_t = max(0, W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

    Equal to `torch.nn.RNN` with `nonlinearity="relu"`.
    """

    name: ClassVar[str] = "rnn_relu"
    gates: ClassVar[tuple[str, ...]] = ("h",)
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = (
        "Le, Jaitly, Hinton 2015, A simple way to initialize recurrent networks of rectified linear units, "
        "arXiv:1504.00941"
    )

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
        h = (projected + recurrent(p, state.h)).relu()
        return h, HiddenState(h)

    def initial_state(self, batch_size: int, like: Tensor) -> HiddenState:
        """Zeros."""
        return HiddenState(like.new_zeros(batch_size, self.hidden_size))

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With and without biases."""
        return [cls(3, 5), cls(2, 4, bias=False)]
