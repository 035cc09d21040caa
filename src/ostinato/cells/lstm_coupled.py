"""LSTM whose input and forget gate are one: what is forgotten is what is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.contract import CellDefaults, MemoryState, recurrent
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class CoupledLSTM(CellDefaults):
    """The LSTM with a forget gate of 1 - i.

        i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)
        g_t =    tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
        o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
        c_t = (1 - i_t) * c_{t-1} + i_t * g_t
        h_t = o_t * tanh(c_t)

    The paper's variant CIFG, without the peepholes of its vanilla LSTM.
    """

    name: ClassVar[str] = "lstm_coupled"
    gates: ClassVar[tuple[str, ...]] = ("i", "g", "o")
    State: ClassVar[type[MemoryState]] = MemoryState
    paper: ClassVar[str] = (
        "Greff, Srivastava, Koutník, Steunebrink, Schmidhuber 2017, LSTM: a search space odyssey, arXiv:1503.04069"
    )

    input_size: int
    hidden_size: int
    bias: bool = True

    def step(self, p: Parameters, projected: Tensor, state: MemoryState) -> tuple[Tensor, MemoryState]:
        """One step of the recurrence."""
        h, c = state
        i, g, o = (projected + recurrent(p, h)).chunk(3, dim=-1)
        i = i.sigmoid()
        c = (1 - i) * c + i * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, MemoryState(h, c)
