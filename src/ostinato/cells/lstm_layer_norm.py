"""LSTM with layer normalisation of both products and of the memory cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.contract import (
    CellDefaults,
    MemoryState,
    Parameter,
    gate_parameters,
    linear,
    ones,
    recurrent,
    zeros,
)
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class LayerNormLSTM(CellDefaults):
    """The LSTM with its sums brought to mean 0 and variance 1 over the units, then scaled by a learned gain.

        i, f, g, o = LN(W_ih x_t; norm_ih) + b_ih + LN(W_hh h_{t-1}; norm_hh) + b_hh
        c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
        h_t = sigmoid(o) * tanh(LN(c_t; norm_c) + shift_c)
        LN(v; gain) = gain * (v - mean(v)) / sqrt(variance(v) + eps)

    Each product is normalised over all four gates together, as in the paper; its shifts are the two biases.
    """

    name: ClassVar[str] = "lstm_layer_norm"
    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    State: ClassVar[type[MemoryState]] = MemoryState
    paper: ClassVar[str] = "Ba, Kiros, Hinton 2016, Layer normalization, arXiv:1607.06450, equations 20 to 22"
    native: ClassVar[bool] = True
    eps: ClassVar[float] = 1e-5

    input_size: int
    hidden_size: int
    bias: bool = True

    def parameters(self) -> Mapping[str, Parameter]:
        """torch.nn's four, the gains `norm_ih`, `norm_hh` [4H] and `norm_c` [H], and `shift_c` [H]."""
        H = self.hidden_size
        norms = {f"norm_{name}": Parameter((4 * H,), ones, "unit") for name in ("ih", "hh")}
        norms["norm_c"] = Parameter((H,), ones, "unit")
        if self.bias:
            norms["shift_c"] = Parameter((H,), zeros, "unit")
        return gate_parameters(self) | norms

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """LN(W_ih x) + b_ih."""
        return self._normal(linear(x, p["weight_ih"]), p["norm_ih"], p.get("bias_ih"))

    def step(self, p: Parameters, projected: Tensor, state: MemoryState) -> tuple[Tensor, MemoryState]:
        """One step of the recurrence."""
        h, c = state
        product = self._normal(recurrent(p, h, bias=False), p["norm_hh"], p.get("bias_hh"))
        i, f, g, o = (projected + product).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * self._normal(c, p["norm_c"], p.get("shift_c")).tanh()
        return h, MemoryState(h, c)

    def _normal(self, v: Tensor, gain: Tensor, shift: Tensor | None) -> Tensor:
        from torch.nn import functional as F

        return F.layer_norm(v, v.shape[-1:], gain, shift, self.eps)
