"""The simple recurrent network with rectified units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.contract import CellDefaults, HiddenState, OnnxOperator, recurrent, require_whole
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class ReluRNN(CellDefaults):
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
    torch_mode: ClassVar[str] = "RNN_RELU"
    onnx: ClassVar[OnnxOperator] = OnnxOperator("RNN", gates, {"activations": ["Relu"]})
    native: ClassVar[bool] = True

    input_size: int
    hidden_size: int
    bias: bool = True

    def __post_init__(self) -> None:
        require_whole(self)

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        h = (projected + recurrent(p, state.h)).relu()
        return h, HiddenState(h)
