"""minGRU: a GRU whose gate and candidate do not see the state, so that all steps can be computed at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from ostinato.cells.activations import positive
from ostinato.cells.contract import CellDefaults, HiddenState, Parameter, input_parameters
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class MinGRU(CellDefaults):
    """One gate, of the input alone.

        z_t = sigmoid(W_iz x_t + b_iz)
        n_t = g(W_in x_t + b_in),    g(v) = v + 1/2 where v >= 0, sigmoid(v) elsewhere
        h_t = (1 - z_t) * h_{t-1} + z_t * n_t

    Attributes:
        positive: False for a candidate without g, as in the paper's text; g is that of its appendix B, by which states
            stay positive.
    """

    name: ClassVar[str] = "min_gru"
    gates: ClassVar[tuple[str, ...]] = ("z", "n")
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = "Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, Were RNNs all we needed?, arXiv:2410.01201"

    input_size: int
    hidden_size: int
    bias: bool = True
    positive: bool = True

    def parameters(self) -> Mapping[str, Parameter]:
        """`weight_ih` [2H, D] and `bias_ih` [2H]."""
        return input_parameters(self)

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        z, n = projected.chunk(2, dim=-1)
        z = z.sigmoid()
        h = (1 - z) * state.h + z * (positive(n) if self.positive else n)
        return h, HiddenState(h)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With positive states, and without and without biases."""
        return [cls(3, 5), cls(2, 4, bias=False, positive=False)]
