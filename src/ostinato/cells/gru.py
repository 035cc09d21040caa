"""Gated recurrent unit, the reset gate after the recurrent product: torch.nn's and Keras' default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.activations import Activation, activate, check_activations, gate
from ostinato.cells.contract import CellDefaults, HiddenState, OnnxOperator, recurrent, require_whole
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class GRU(CellDefaults):
    """Two gates, no memory cell beside the state.

        r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)              reset gate
        z_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)              update gate
        n_t =    tanh(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))      candidate
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    Equal to `torch.nn.GRU`. The paper resets the state before the product: that is the cell `gru_reset_before`.

    Attributes:
        activation: in place of each tanh: a name such as "relu" or "softsign", or a function. As the two below, on the
            reference where it is not the usual one.
        recurrent_activation: in place of each sigmoid.
        clip: bounds the sums that go into gates and candidate to -clip and clip.
    """

    name: ClassVar[str] = "gru"
    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = (
        "Cho et al. 2014, Learning phrase representations using RNN encoder-decoder, arXiv:1406.1078; "
        "reset after the product as in its version 1 and in cuDNN"
    )
    torch_mode: ClassVar[str] = "GRU"
    onnx: ClassVar[OnnxOperator] = OnnxOperator("GRU", ("z", "r", "n"), {"linear_before_reset": 1})
    native: ClassVar[bool] = True

    input_size: int
    hidden_size: int
    bias: bool = True
    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    clip: float | None = None

    def __post_init__(self) -> None:
        require_whole(self)
        check_activations(self)

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        (h,) = state
        xr, xz, xn = projected.chunk(3, dim=-1)
        hr, hz, hn = recurrent(p, h).chunk(3, dim=-1)
        r, z = gate(self, xr + hr), gate(self, xz + hz)
        n = activate(self, xn + r * hn)
        h = (1 - z) * n + z * h
        return h, HiddenState(h)
