"""Just another network: an LSTM of which the forget gate alone is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Self

from ostinato.cells.contract import CellDefaults, HiddenState, Parameter, gate_parameters, recurrent, require_positive
from ostinato.core.errors import ConfigError
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class JANET(CellDefaults):
    """The memory is the output.

        s_t = W_if x_t + b_if + W_hf h_{t-1} + b_hf
        n_t = tanh(W_in x_t + b_in + W_hn h_{t-1} + b_hn)
        h_t = sigmoid(s_t) * h_{t-1} + (1 - sigmoid(s_t - beta)) * n_t

    Attributes:
        beta: how much less is written than is forgotten.
        longest: the steps that dependencies span at most, for the chrono initialisation: the biases of a new layer add
            up to log(U(1, longest - 1)) for f and to 0 for n. 0: as torch.nn's layers.
    """

    name: ClassVar[str] = "janet"
    gates: ClassVar[tuple[str, ...]] = ("f", "n")
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = (
        "van der Westhuizen, Lasenby 2018, The unreasonable effectiveness of the forget gate, arXiv:1804.04849; "
        "biases: Tallec, Ollivier 2018, Can recurrent neural networks warp time?, arXiv:1804.11188"
    )

    input_size: int
    hidden_size: int
    bias: bool = True
    beta: float = 1.0
    longest: int = 0

    def __post_init__(self) -> None:
        require_positive(self)
        if self.longest and (self.longest < 3 or not self.bias):
            raise ConfigError(f"janet: longest must be 0 or at least 3, with bias=True, got {self.longest!r}")

    def parameters(self) -> Mapping[str, Parameter]:
        """torch.nn's four."""
        found = gate_parameters(self)
        if self.longest:
            for name, longest in (("bias_ih", self.longest), ("bias_hh", 0)):
                found[name] = found[name]._replace(initialise=partial(_chrono, longest=longest))
        return found

    def step(self, p: Parameters, projected: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """One step of the recurrence."""
        (h,) = state
        s, n = (projected + recurrent(p, h)).chunk(2, dim=-1)
        h = s.sigmoid() * h + (1 - (s - self.beta).sigmoid()) * n.tanh()
        return h, HiddenState(h)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With the paper's biases, and without any and with another beta."""
        return [cls(3, 5, longest=20), cls(2, 4, bias=False, beta=0.5)]


def _chrono(tensor: Tensor, hidden_size: int, *, longest: int) -> None:
    tensor.zero_()
    if longest:
        tensor[:hidden_size].uniform_(1, longest - 1).log_()
