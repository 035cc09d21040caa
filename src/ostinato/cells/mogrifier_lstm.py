"""LSTM whose input and state scale each other, in turns, before it sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from ostinato.cells.contract import (
    CellDefaults,
    MemoryState,
    Parameter,
    gate_parameters,
    linear,
    recurrent,
    require_positive,
)
from ostinato.core.errors import ConfigError
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


@register
@dataclass(frozen=True)
class MogrifierLSTM(CellDefaults):
    """An LSTM of x and h after `rounds` turns, from x_t and h_{t-1}.

        x = 2 sigmoid(Q_i h) * x    for i = 1, 3, ...
        h = 2 sigmoid(R_i x) * h    for i = 2, 4, ...

    As in the paper, turns have no biases. Nothing is parallel over time. Recurrent dropout is of the LSTM's product.

    Attributes:
        rounds: how many turns; 0 for an LSTM.
    """

    name: ClassVar[str] = "mogrifier_lstm"
    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    State: ClassVar[type[MemoryState]] = MemoryState
    paper: ClassVar[str] = "Melis, Kočiský, Blunsom 2020, Mogrifier LSTM, arXiv:1909.01792"

    input_size: int
    hidden_size: int
    bias: bool = True
    rounds: int = 5

    def __post_init__(self) -> None:
        require_positive(self)
        if self.rounds < 0:
            raise ConfigError(f"mogrifier_lstm: rounds must be at least 0, got {self.rounds!r}")

    @property
    def projected_size(self) -> int:
        """D: `project` leaves the input as it is."""
        return self.input_size

    def parameters(self) -> Mapping[str, Parameter]:
        """torch.nn's four, and `weight_q1` [D, H], `weight_r2` [H, D], `weight_q3` and so on."""
        D, H = self.input_size, self.hidden_size
        odd = {f"weight_q{i}": Parameter((D, H), role="recurrent") for i in range(1, self.rounds + 1, 2)}
        even = {f"weight_r{i}": Parameter((H, D), role="input") for i in range(2, self.rounds + 1, 2)}
        return gate_parameters(self) | odd | even

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """The input."""
        return x

    def step(self, p: Parameters, projected: Tensor, state: MemoryState) -> tuple[Tensor, MemoryState]:
        """One step of the recurrence."""
        x, (h, c) = projected, state
        for turn in range(1, self.rounds + 1):
            if turn % 2:
                x = 2 * linear(h, p[f"weight_q{turn}"]).sigmoid() * x
            else:
                h = 2 * linear(x, p[f"weight_r{turn}"]).sigmoid() * h
        i, f, g, o = (linear(x, p["weight_ih"], p.get("bias_ih")) + recurrent(p, h)).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, MemoryState(h, c)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With turns that end on either side, with and without biases."""
        return [cls(3, 5, rounds=2), cls(2, 4, bias=False, rounds=1)]
