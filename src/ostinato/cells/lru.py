"""The linear recurrent unit: complex numbers that turn and shrink, each by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from ostinato.cells.contract import CellDefaults, Parameter, lecun, linear, require_positive, zeros
from ostinato.core.errors import ConfigError
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


class ComplexState(NamedTuple):
    """State of an LRU: `re` and `im` [N, H], and `skip` [N, H], what the input adds to the step's output."""

    re: Tensor
    im: Tensor
    skip: Tensor


@register
@dataclass(frozen=True)
class LRU(CellDefaults):
    """A diagonal linear recurrence over complex numbers s, in real arithmetic.

        lambda = exp(-exp(nu) + i exp(theta))
        s_t = lambda * s_{t-1} + exp(log_gamma) * (B x_t)
        h_t = Re(C s_t) + D x_t + b

    H complex numbers and H outputs. The layers between LRUs have the nonlinearities. D is diagonal, without b, in the
    code of the paper's appendix.

    Attributes:
        smallest: least |lambda| of a new layer, which are drawn on the ring between the two, evenly by area.
        largest: the most.
        phase: the largest angle of a new lambda.
    """

    name: ClassVar[str] = "lru"
    gates: ClassVar[tuple[str, ...]] = ("re", "im", "skip")
    State: ClassVar[type[ComplexState]] = ComplexState
    paper: ClassVar[str] = (
        "Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu, De 2023, Resurrecting recurrent neural networks for long "
        "sequences, arXiv:2303.06349"
    )
    output_is_state: ClassVar[bool] = False

    input_size: int
    hidden_size: int
    bias: bool = True
    smallest: float = 0.0
    largest: float = 1.0
    phase: float = 2 * math.pi

    def __post_init__(self) -> None:
        require_positive(self)
        if not (0 <= self.smallest < self.largest <= 1 and self.phase > 0):
            raise ConfigError(
                "lru: expected 0 <= smallest < largest <= 1 and a phase above 0, "
                f"got {self.smallest!r}, {self.largest!r} and {self.phase!r}"
            )

    def parameters(self) -> Mapping[str, Parameter]:
        """`weight_ih` [3H, D], B's real and imaginary part and D, `weight_ring` [3, H], nu, theta and log_gamma,
        `weight_ho` [2H, H], C's parts, and `bias_ho` [H]."""
        D, H = self.input_size, self.hidden_size
        ring = partial(_ring, smallest=self.smallest, largest=self.largest, phase=self.phase)
        found = {
            "weight_ih": Parameter((3 * H, D), _halved, "input"),
            "weight_ring": Parameter((3, H), ring, "unit"),
            "weight_ho": Parameter((2 * H, H), lecun),
        }
        return found | ({"bias_ho": Parameter((H,), zeros)} if self.bias else {})

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """exp(log_gamma) * (B x) and D x: of the weights' rows, so that no step has to multiply again."""
        import torch

        B_re, B_im, D = p["weight_ih"].chunk(3)
        gamma = p["weight_ring"][2].exp().unsqueeze(-1)
        return linear(x, torch.cat([gamma * B_re, gamma * B_im, D]))

    def step(self, p: Parameters, projected: Tensor, state: ComplexState) -> tuple[None, ComplexState]:
        """One step of the recurrence."""
        re, im, _ = state
        x_re, x_im, skip = projected.chunk(3, dim=-1)
        nu, theta = p["weight_ring"][:2].exp().unbind()
        size = (-nu).exp()
        cos, sin = size * theta.cos(), size * theta.sin()
        return None, ComplexState(cos * re - sin * im + x_re, sin * re + cos * im + x_im, skip)

    def readout(self, p: Parameters, states: ComplexState) -> Tensor:
        """Re(C s) + D x + b, of all steps: one product of both parts."""
        import torch

        C_re, C_im = p["weight_ho"].chunk(2)
        both = torch.cat([states.re, states.im], -1)
        return linear(both, torch.cat([C_re, -C_im], -1), p.get("bias_ho")) + states.skip

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With and without biases, the second on a narrow ring."""
        return [cls(3, 5), cls(2, 4, bias=False, smallest=0.9, largest=0.99, phase=0.3)]


def _halved(tensor: Tensor, hidden_size: int) -> None:
    """N(0, 1 / columns), each part of B having half of that variance; those of C are drawn with the whole."""
    lecun(tensor, hidden_size)
    tensor[: 2 * hidden_size] /= math.sqrt(2)


def _ring(tensor: Tensor, hidden_size: int, *, smallest: float, largest: float, phase: float) -> None:
    # in double precision: near 1 others have too few numbers
    nu, theta, log_gamma = values = tensor.double().uniform_(1e-6, 1 - 1e-6)
    square = nu * (largest**2 - smallest**2) + smallest**2
    nu.copy_((-0.5 * square.log()).log())
    theta.mul_(phase).log_()
    log_gamma.copy_(0.5 * (1 - square).log())
    tensor.copy_(values)
