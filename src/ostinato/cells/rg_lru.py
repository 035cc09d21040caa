"""The real-gated linear recurrent unit: Griffin's, which forgets each unit at a rate of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.contract import CellDefaults, HiddenState, Parameter, lecun, zeros
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class RGLRU(CellDefaults):
    """A linear recurrence, its rate and what is written by gates of the input.

        r_t = sigmoid(W_r x_t + b_r)                     recurrence gate
        i_t = sigmoid(W_i x_t + b_i)                     input gate
        a_t = a^(8 r_t),    a = sigmoid(rate)
        h_t = a_t * h_{t-1} + sqrt(1 - a_t^2) * (i_t * (W_n x_t + b_n))

    The paper writes i_t * x_t, its block having a linear layer below: that is W_n, so that D need not be H.
    """

    name: ClassVar[str] = "rg_lru"
    gates: ClassVar[tuple[str, ...]] = ("r", "i", "n")
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = (
        "De et al. 2024, Griffin: mixing gated linear recurrences with local attention for efficient language models, "
        "arXiv:2402.19427, equations 1 to 4"
    )

    input_size: int
    hidden_size: int
    bias: bool = True

    def parameters(self) -> Mapping[str, Parameter]:
        """`weight_ih` [3H, D], `bias_ih` [3H], and `rate` [H]: of a new layer, a^8 is uniform from 0.9 to 0.999."""
        D, H = self.input_size, self.hidden_size
        found = {"weight_ih": Parameter((3 * H, D), lecun, "input")}
        if self.bias:
            found["bias_ih"] = Parameter((3 * H,), zeros, "input")
        return found | {"rate": Parameter((H,), _slow, "unit")}

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        from torch.nn import functional as F

        r, i, n = projected.chunk(3, dim=-1)
        less = (8 * F.logsigmoid(p["rate"]) * r.sigmoid()).expm1()  # a - 1: 1 - a^2 is exact where a is nearly 1
        h = (1 + less) * state.h + (-less * (2 + less)).sqrt() * (i.sigmoid() * n)
        return h, HiddenState(h)


def _slow(tensor: Tensor, hidden_size: int) -> None:
    # in double precision: near 1 others have too few numbers
    tensor.copy_(tensor.double().uniform_(0.9, 0.999).pow(1 / 8).logit())
