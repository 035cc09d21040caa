"""Averages of the weights over the last part of a training: less noise than the weights of any one step."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


class PowerAverage:
    """A mean over about the last `share` of all steps so far, however many there will be.

    After step t the average moves towards the weights by 1 / (share * t). The weights of step s then count in
    proportion to s^(1/share - 1), the power function average of Karras et al. 2024 ("Analyzing and improving the
    training dynamics of diffusion models"): early weights are forgotten at the pace at which training goes on, so that
    one setting fits short and long runs, which a fixed decay does not.

    A hundred times in that span the weights are taken, not at every step, to spare passes over them.

    Args:
        parameters: whose average to keep; each once.
        share: of the steps so far, above 0 and at most 1. At 1 it is the plain mean of all.
    """

    def __init__(self, parameters: Iterable[Tensor], share: float) -> None:
        self.parameters, self.share = list(parameters), share
        self.taken = 0  # the last step whose weights went in
        self.average = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take note of the weights after a step, counted from 1."""
        span = self.share * step
        if step - self.taken >= span / 100:
            weight = min(1.0, (step - self.taken) / span)
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], weight)
            self.taken = step

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with the average for its weights."""
        own = [p.detach().clone() for p in self.parameters]
        self._set(self.average)
        try:
            yield
        finally:
            self._set(own)

    def state_dict(self) -> dict[str, Tensor]:
        """What to save."""
        return {"taken": torch.tensor(self.taken)} | {str(index): mean for index, mean in enumerate(self.average)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.taken = int(state["taken"])
        for index, mean in enumerate(self.average):
            mean.copy_(state[str(index)])

    @torch.no_grad()
    def _set(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)
