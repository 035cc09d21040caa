"""The simple recurrent unit: gates see the memory unit by unit, and a highway leads past it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from ostinato.cells.contract import CellDefaults, Parameter, linear, zeros
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


class Memory(NamedTuple):
    """State of a cell that remembers something else than its output: `c` [N, H]."""

    c: Tensor


@register
@dataclass(frozen=True)
class SRU(CellDefaults):
    """A light recurrence and a highway.

        f_t = sigmoid(W_f x_t + v_f * c_{t-1} + b_f)
        c_t = f_t * c_{t-1} + (1 - f_t) * (W_z x_t)
        r_t = sigmoid(W_r x_t + v_r * c_{t-1} + b_r)
        h_t = r_t * c_t + (1 - r_t) * sqrt(3) * x_t

    The paper's scale of the highway, sqrt(1 + 2 exp(b)), for biases that start at b = 0. Where D is not H, W_x x_t
    takes the place of sqrt(3) x_t. A new layer's weights are those of the authors' code: its W_x is as much wider, and
    the two terms of a gate share its variance.
    """

    name: ClassVar[str] = "sru"
    gates: ClassVar[tuple[str, ...]] = ("z", "f", "r", "x")
    State: ClassVar[type[Memory]] = Memory
    paper: ClassVar[str] = (
        "Lei, Zhang, Wang, Dai, Artzi 2018, Simple recurrent units for highly parallelizable recurrence, "
        "arXiv:1709.02755, equations 1 to 4"
    )
    output_is_state: ClassVar[bool] = False

    input_size: int
    hidden_size: int
    bias: bool = True

    def parameters(self) -> Mapping[str, Parameter]:
        """`weight_ih` [3H, D], [4H, D] where D is not H, `weight_f` and `weight_r` [H], v, and `bias_ih` [2H]."""
        D, H = self.input_size, self.hidden_size
        found = {"weight_ih": Parameter(((3 if D == H else 4) * H, D), _by_inputs, "input")}
        found |= {f"weight_{gate}": Parameter((H,), _by_memory, "unit") for gate in ("f", "r")}
        return found | ({"bias_ih": Parameter((2 * H,), zeros, "input")} if self.bias else {})

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """The four products, without biases; what the highway takes is the last."""
        import torch

        product = linear(x, p["weight_ih"])
        if self.input_size != self.hidden_size:
            return product
        return torch.cat([product, math.sqrt(3) * x], -1)

    def step(self, p: Parameters, projected: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """One step of the recurrence."""
        (c,), b = state, p.get("bias_ih")
        z, f, r, x = projected.chunk(4, dim=-1)
        f, r = f + p["weight_f"] * c, r + p["weight_r"] * c
        if b is not None:
            f, r = f + b[: self.hidden_size], r + b[self.hidden_size :]
        f, r = f.sigmoid(), r.sigmoid()
        c = f * c + (1 - f) * z
        return r * c + (1 - r) * x, Memory(c)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With a highway of the input itself, and of a product; with and without biases."""
        return [cls(4, 4), cls(3, 5, bias=False)]


def _by_inputs(tensor: Tensor, hidden_size: int) -> None:
    """Variance 1/D for z, half of that for f and r, 3/D for the highway."""
    bound = math.sqrt(3 / tensor.shape[1])
    tensor.uniform_(-bound, bound)
    tensor[hidden_size : 3 * hidden_size] *= math.sqrt(0.5)
    tensor[3 * hidden_size :] *= math.sqrt(3)


def _by_memory(tensor: Tensor, hidden_size: int) -> None:
    """Variance 1/2."""
    bound = math.sqrt(1.5)
    tensor.uniform_(-bound, bound)
