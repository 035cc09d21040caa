"""A cell written outside the package, unlike any inside: what is remembered (h) is not what is fed back (y)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from ostinato.cells.contract import Parameter, gate_parameters, recurrent, require_positive


class OutputAndHidden(NamedTuple):
    y: Tensor
    h: Tensor


@dataclass(frozen=True)
class FeedbackMGU:
    """The minimal gated unit of Zhou et al. with the output, not the state, fed back.

    f_t = sigmoid(W_if x_t + b_if + W_hf y_{t-1} + b_hf)
    n_t =    tanh(W_in x_t + b_in + f_t * (W_hn y_{t-1} + b_hn))
    h_t = (1 - f_t) * h_{t-1} + f_t * n_t
    y_t = tanh(W_ho h_t)

    """

    name: ClassVar[str] = "feedback_mgu"
    gates: ClassVar[tuple[str, ...]] = ("f", "n")
    State: ClassVar[type[OutputAndHidden]] = OutputAndHidden
    paper: ClassVar[str] = "Zhou et al. 2016, Minimal gated unit for recurrent neural networks, arXiv:1603.09420"

    input_size: int
    hidden_size: int
    bias: bool = True
    output_units: int = 2

    def __post_init__(self) -> None:
        require_positive(self, output_units=self.output_units)

    @property
    def output_size(self) -> int:
        return self.output_units

    def parameters(self) -> Mapping[str, Parameter]:
        output = {"weight_ho": Parameter((self.output_units, self.hidden_size))}
        return gate_parameters(self, fed_back=self.output_units) | output

    def project(self, p: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return F.linear(x, p["weight_ih"], p.get("bias_ih"))

    def step(
        self, p: Mapping[str, Tensor], projected: Tensor, state: OutputAndHidden
    ) -> tuple[Tensor, OutputAndHidden]:
        y, h = state
        xf, xn = projected.chunk(2, dim=-1)
        hf, hn = recurrent(p, y).chunk(2, dim=-1)
        f = (xf + hf).sigmoid()
        n = (xn + f * hn).tanh()
        h = (1 - f) * h + f * n
        y = F.linear(h, p["weight_ho"]).tanh()
        return y, OutputAndHidden(y, h)

    def initial_state(self, batch_size: int, like: Tensor) -> OutputAndHidden:
        return OutputAndHidden(
            like.new_zeros(batch_size, self.output_units), like.new_zeros(batch_size, self.hidden_size)
        )

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return [cls(3, 5), cls(2, 4, bias=False, output_units=3)]


def forward(
    x: np.ndarray, p: Mapping[str, np.ndarray], state: tuple[np.ndarray, ...], output_units: int
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The oracle: the same equations, one sequence and one step at a time."""
    T, N, _ = x.shape
    outputs, (y, h) = np.zeros((T, N, output_units)), (field.copy() for field in state)
    H = h.shape[1]
    b_i, b_h = p.get("bias_ih", np.zeros(2 * H)), p.get("bias_hh", np.zeros(2 * H))
    for n in range(N):
        for t in range(T):
            from_x, from_y = p["weight_ih"] @ x[t, n] + b_i, p["weight_hh"] @ y[n] + b_h
            f = 1 / (1 + np.exp(-(from_x[:H] + from_y[:H])))
            h[n] += f * (np.tanh(from_x[H:] + f * from_y[H:]) - h[n])
            outputs[t, n] = y[n] = np.tanh(p["weight_ho"] @ h[n])
    return outputs, (y, h)
