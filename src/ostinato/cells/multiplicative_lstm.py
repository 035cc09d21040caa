"""LSTM whose recurrent weights change with the input, by a product in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.contract import CellDefaults, MemoryState, Parameter, linear, recurrent
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class MultiplicativeLSTM(CellDefaults):
    """The LSTM that sees m in place of the output before.

        m_t = (W_im x_t) * (W_hm h_{t-1})
        i_t = sigmoid(W_ii x_t + b_i + W_mi m_t)
        f_t = sigmoid(W_if x_t + b_f + W_mf m_t)
        g_t =         W_ig x_t + b_g + W_mg m_t
        o_t = sigmoid(W_io x_t + b_o + W_mo m_t)
        c_t = f_t * c_{t-1} + i_t * tanh(g_t)
        h_t = o_t * tanh(c_t)

    With biases, and the output gate outside the tanh, as in the authors' later code; their first has it inside.
    """

    name: ClassVar[str] = "multiplicative_lstm"
    gates: ClassVar[tuple[str, ...]] = ("m", "i", "f", "g", "o")
    State: ClassVar[type[MemoryState]] = MemoryState
    paper: ClassVar[str] = (
        "Krause, Lu, Murray, Renals 2017, Multiplicative LSTM for sequence modelling, arXiv:1609.07959"
    )

    input_size: int
    hidden_size: int
    bias: bool = True

    def parameters(self) -> Mapping[str, Parameter]:
        """`weight_ih` [5H, D], `weight_hh` [H, H], W_hm, `weight_mh` [4H, H], and `bias_mh` [4H]."""
        H = self.hidden_size
        found = {
            "weight_ih": Parameter((5 * H, self.input_size), role="input"),
            "weight_hh": Parameter((H, H), role="recurrent"),
            "weight_mh": Parameter((4 * H, H), role="recurrent"),
        }
        return found | ({"bias_mh": Parameter((4 * H,), role="recurrent")} if self.bias else {})

    def step(self, p: Parameters, projected: Tensor, state: MemoryState) -> tuple[Tensor, MemoryState]:
        """One step of the recurrence."""
        (h, c), H = state, self.hidden_size
        m = projected[..., :H] * recurrent(p, h)
        i, f, g, o = (projected[..., H:] + linear(m, p["weight_mh"], p.get("bias_mh"))).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, MemoryState(h, c)
