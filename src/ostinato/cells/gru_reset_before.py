"""Gated recurrent unit, the reset gate before the recurrent product: the paper's, and classic Keras'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.activations import Activation, activate, check_activations, gate
from ostinato.cells.contract import CellDefaults, HiddenState, OnnxOperator, recurrent, require_positive
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class ResetBeforeGRU(CellDefaults):
    """As `gru`, but the candidate sees the state already reset.

        r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)              reset gate
        z_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)              update gate
        n_t =    tanh(W_in x_t + b_in + W_hn (r_t * h_{t-1}) + b_hn)      candidate
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    Keras calls this `reset_after=False`.

    Attributes:
        activation: in place of each tanh: a name such as "relu" or "softsign", or a function. As the two below, on the
            reference where it is not the usual one.
        recurrent_activation: in place of each sigmoid.
        clip: bounds the sums that go into gates and candidate to -clip and clip.
    """

    name: ClassVar[str] = "gru_reset_before"
    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = (
        "Cho et al. 2014, Learning phrase representations using RNN encoder-decoder, arXiv:1406.1078, "
        "version 3, equations 5 to 8"
    )
    onnx: ClassVar[OnnxOperator] = OnnxOperator("GRU", ("z", "r", "n"))
    native: ClassVar[bool] = True

    input_size: int
    hidden_size: int
    bias: bool = True
    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    clip: float | None = None

    def __post_init__(self) -> None:
        require_positive(self)
        check_activations(self)

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        (h,) = state
        H = self.hidden_size
        xr, xz, xn = projected.chunk(3, dim=-1)
        hr, hz = recurrent(p, h, rows=slice(0, 2 * H)).chunk(2, dim=-1)
        r, z = gate(self, xr + hr), gate(self, xz + hz)
        n = activate(self, xn + recurrent(p, r * h, rows=slice(2 * H, 3 * H)))
        h = (1 - z) * n + z * h
        return h, HiddenState(h)
