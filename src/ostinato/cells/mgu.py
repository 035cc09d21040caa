"""The minimal gated unit: one gate does the work of a GRU's two."""

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
class MGU(CellDefaults):
    """One gate that both resets and updates.

    f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)
    n_t =    tanh(W_in x_t + b_in + W_hn (f_t * h_{t-1}) + b_hn)
    h_t = (1 - f_t) * h_{t-1} + f_t * n_t
    """

    name: ClassVar[str] = "mgu"
    gates: ClassVar[tuple[str, ...]] = ("f", "n")
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = (
        "Zhou, Wu, Zhang, Zhou 2016, Minimal gated unit for recurrent neural networks, arXiv:1603.09420"
    )

    input_size: int
    hidden_size: int
    bias: bool = True

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        (h,), H = state, self.hidden_size
        xf, xn = projected.chunk(2, dim=-1)
        f = (xf + recurrent(p, h, rows=slice(0, H))).sigmoid()
        n = (xn + recurrent(p, f * h, rows=slice(H, 2 * H))).tanh()
        h = (1 - f) * h + f * n
        return h, HiddenState(h)
