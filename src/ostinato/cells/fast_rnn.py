"""FastRNN: a simple recurrent network with a weighted residual connection over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.contract import CellDefaults, HiddenState, Parameter, constant, gate_parameters, recurrent
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class FastRNN(CellDefaults):
    """Two numbers beside the simple network's weights.

    n_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
    h_t = sigmoid(alpha) * n_t + sigmoid(beta) * h_{t-1}
    """

    name: ClassVar[str] = "fast_rnn"
    gates: ClassVar[tuple[str, ...]] = ("n",)
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = (
        "Kusupati, Singh, Bhatia, Kumar, Jain, Varma 2018, FastGRNN: a fast, accurate, stable and tiny kilobyte sized "
        "gated recurrent neural network, arXiv:1901.02358"
    )

    input_size: int
    hidden_size: int
    bias: bool = True

    def parameters(self) -> Mapping[str, Parameter]:
        """torch.nn's four, and `alpha` and `beta` [1], of a new layer -3 and 3."""
        scalars = {name: Parameter((1,), partial(constant, value=v)) for name, v in (("alpha", -3.0), ("beta", 3.0))}
        return gate_parameters(self) | scalars

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        (h,) = state
        n = (projected + recurrent(p, h)).tanh()
        h = p["alpha"].sigmoid() * n + p["beta"].sigmoid() * h
        return h, HiddenState(h)
