"""minLSTM: an LSTM whose gates and candidate do not see the state, so that all steps can be computed at once."""

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
class MinLSTM(CellDefaults):
    """Two gates that are shares of one whole, of the input alone.

        f_t = sigmoid(W_if x_t + b_if)
        i_t = sigmoid(W_ii x_t + b_ii)
        n_t = g(W_in x_t + b_in),    g(v) = v + 1/2 where v >= 0, sigmoid(v) elsewhere
        h_t = f_t / (f_t + i_t) * h_{t-1} + i_t / (f_t + i_t) * n_t

    Attributes:
        positive: False for a candidate without g, as in the paper's text; g is that of its appendix B, by which states
            stay positive.
    """

    name: ClassVar[str] = "min_lstm"
    gates: ClassVar[tuple[str, ...]] = ("f", "i", "n")
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = "Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, Were RNNs all we needed?, arXiv:2410.01201"

    input_size: int
    hidden_size: int
    bias: bool = True
    positive: bool = True

    def parameters(self) -> Mapping[str, Parameter]:
        """`weight_ih` [3H, D] and `bias_ih` [3H]."""
        return input_parameters(self)

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        from torch.nn import functional as F

        f, i, n = projected.chunk(3, dim=-1)
        share = (F.logsigmoid(f) - F.logsigmoid(i)).sigmoid()  # f / (f + i), also where both underflow
        h = share * state.h + (1 - share) * (positive(n) if self.positive else n)
        return h, HiddenState(h)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With positive states, and without and without biases."""
        return [cls(3, 5), cls(2, 4, bias=False, positive=False)]
