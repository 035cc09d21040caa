"""The update gate RNN: a gate between the state before and a plain recurrent network's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.contract import CellDefaults, HiddenState, recurrent
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class UGRNN(CellDefaults):
    """One gate, one product.

        c_t =    tanh(W_ic x_t + b_ic + W_hc h_{t-1} + b_hc)
        g_t = sigmoid(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
        h_t = g_t * h_{t-1} + (1 - g_t) * c_t

    The constant that the paper adds in g is left to the bias.
    """

    name: ClassVar[str] = "ugrnn"
    gates: ClassVar[tuple[str, ...]] = ("c", "g")
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = (
        "Collins, Sohl-Dickstein, Sussillo 2017, Capacity and trainability in recurrent neural networks, "
        "arXiv:1611.09913"
    )

    input_size: int
    hidden_size: int
    bias: bool = True

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        (h,) = state
        c, g = (projected + recurrent(p, h)).chunk(2, dim=-1)
        g = g.sigmoid()
        h = g * h + (1 - g) * c.tanh()
        return h, HiddenState(h)
