"""The simple recurrent network: one tanh over the input and the state before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.activations import Activation, activate, check_activations
from ostinato.cells.contract import CellDefaults, HiddenState, OnnxOperator, recurrent, require_whole
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class ElmanRNN(CellDefaults):
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
    torch_mode: ClassVar[str] = "RNN_TANH"
    onnx: ClassVar[OnnxOperator] = OnnxOperator("RNN", gates)
    native: ClassVar[bool] = True

    input_size: int
    hidden_size: int
    bias: bool = True
    activation: Activation = "tanh"
    clip: float | None = None

    def __post_init__(self) -> None:
        require_whole(self)
        check_activations(self)

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        h = activate(self, projected + recurrent(p, state.h))
        return h, HiddenState(h)
