"""FastGRNN: a gate and a candidate that share their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from ostinato.cells.contract import CellDefaults, HiddenState, Parameter, constant, linear, ones, recurrent
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class FastGRNN(CellDefaults):
    """Gate and candidate differ by their biases alone.

    z_t = sigmoid(W x_t + U h_{t-1} + b_z)
    n_t =    tanh(W x_t + U h_{t-1} + b_n)
    h_t = (sigmoid(zeta) * (1 - z_t) + sigmoid(nu)) * n_t + z_t * h_{t-1}
    """

    name: ClassVar[str] = "fast_grnn"
    gates: ClassVar[tuple[str, ...]] = ("z", "n")
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = (
        "Kusupati, Singh, Bhatia, Kumar, Jain, Varma 2018, FastGRNN: a fast, accurate, stable and tiny kilobyte sized "
        "gated recurrent neural network, arXiv:1901.02358"
    )

    input_size: int
    hidden_size: int
    bias: bool = True

    def parameters(self) -> Mapping[str, Parameter]:
        """`weight_ih` [H, D], W, `weight_hh` [H, H], U, `bias_ih` [2H], and `zeta` and `nu` [1], at first 1 and -4."""
        H = self.hidden_size
        found = {
            "weight_ih": Parameter((H, self.input_size), role="input"),
            "weight_hh": Parameter((H, H), role="recurrent"),
        }
        if self.bias:
            found["bias_ih"] = Parameter((2 * H,), ones, "input")
        return found | {"zeta": Parameter((1,), ones), "nu": Parameter((1,), partial(constant, value=-4.0))}

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """W x twice, with the bias of each."""
        import torch

        product = linear(x, p["weight_ih"])
        both, bias = torch.cat([product, product], -1), p.get("bias_ih")
        return both if bias is None else both + bias

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        (h,), (xz, xn) = state, projected.chunk(2, dim=-1)
        product = recurrent(p, h)
        z, n = (xz + product).sigmoid(), (xn + product).tanh()
        h = (p["zeta"].sigmoid() * (1 - z) + p["nu"].sigmoid()) * n + z * h
        return h, HiddenState(h)
