"""LSTM whose gates look at the memory cell through peepholes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.activations import Activation, activate, check_activations, gate, squash
from ostinato.cells.contract import (
    CellDefaults,
    MemoryState,
    OnnxOperator,
    Parameter,
    gate_parameters,
    recurrent,
    require_positive,
)
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class PeepholeLSTM(CellDefaults):
    """The LSTM with one weight a unit from its memory cell to each of its gates.

        i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi + w_ci * c_{t-1})
        f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf + w_cf * c_{t-1})
        g_t =    tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
        c_t = f_t * c_{t-1} + i_t * g_t
        o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho + w_co * c_t)
        h_t = o_t * tanh(c_t)

    Input and forget gate see the memory before the step, the output gate sees it after.

    Attributes:
        activation: in place of each tanh: a name such as "relu" or "softsign", or a function. As the two below, on the
            reference where it is not the usual one.
        recurrent_activation: in place of each sigmoid.
        clip: bounds the sums that go into gates and candidate to -clip and clip.
    """

    name: ClassVar[str] = "lstm_peephole"
    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    State: ClassVar[type[MemoryState]] = MemoryState
    paper: ClassVar[str] = (
        "Gers, Schraudolph, Schmidhuber 2002, Learning precise timing with LSTM recurrent networks, JMLR 3; "
        "as in Graves 2013, arXiv:1308.0850, equations 7 to 11"
    )
    onnx: ClassVar[OnnxOperator] = OnnxOperator(
        "LSTM", ("i", "o", "f", "g"), peepholes=("weight_ci", "weight_co", "weight_cf")
    )
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

    def parameters(self) -> Mapping[str, Parameter]:
        """torch.nn's four, and the peepholes `weight_ci`, `weight_cf`, `weight_co` [H]."""
        peephole = Parameter((self.hidden_size,), role="unit")
        return gate_parameters(self) | {f"weight_c{gate}": peephole for gate in "ifo"}

    def step(self, p: Parameters, projected: Tensor, state: MemoryState) -> tuple[Tensor, MemoryState]:
        """One step of the recurrence."""
        h, c = state
        i, f, g, o = (projected + recurrent(p, h)).chunk(4, dim=-1)
        i = gate(self, i + p["weight_ci"] * c)
        f = gate(self, f + p["weight_cf"] * c)
        c = f * c + i * activate(self, g)
        o = gate(self, o + p["weight_co"] * c)
        h = o * squash(self.activation, c)
        return h, MemoryState(h, c)
