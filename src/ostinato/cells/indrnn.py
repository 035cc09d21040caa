"""The independently recurrent network: each unit sees only its own value of the step before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.contract import CellDefaults, HiddenState, Parameter, input_parameters
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class IndRNN(CellDefaults):
    """h_t = max(0, W_ih x_t + b_ih + u * h_{t-1})."""

    name: ClassVar[str] = "indrnn"
    gates: ClassVar[tuple[str, ...]] = ("h",)
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = (
        "Li, Li, Cook, Zhu, Gao 2018, Independently recurrent neural network (IndRNN): building a longer and deeper "
        "RNN, arXiv:1803.04831"
    )

    input_size: int
    hidden_size: int
    bias: bool = True

    def parameters(self) -> Mapping[str, Parameter]:
        """`weight_ih` [H, D], `bias_ih` [H], and `weight_unit` [H], u, drawn between 0 and 1."""
        return input_parameters(self) | {"weight_unit": Parameter((self.hidden_size,), _between_0_and_1, "unit")}

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        h = (projected + p["weight_unit"] * state.h).relu()
        return h, HiddenState(h)


def _between_0_and_1(tensor: Tensor, hidden_size: int) -> None:
    tensor.uniform_(0, 1)
