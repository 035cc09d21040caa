"""Averages of the weights over the last part of a training: less noise than the weights of any one step."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ostinato.core.torch_private import interpolate_all_


class PowerAverage:
    """A mean over about the last `share` of all steps so far, above 0 and at most 1, however many there will be.

    After step t the average moves towards the weights by 1 / (share * t). The weights of step s then count in
    proportion to s^(1/share - 1), the power function average of Karras et al. 2024 ("Analyzing and improving the
    training dynamics of diffusion models"): early weights are forgotten at the pace at which training goes on, so that
    one setting fits short and long runs, which a fixed decay does not.

    A hundred times in that span the weights are taken, not at every step, to spare passes over them. At 1 it is the
    plain mean of all.
    """

    waiting = False

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
            interpolate_all_(self.average, [p.detach() for p in self.parameters], weight)
            self.taken = step

    def validated(self, value: float, step: int) -> bool:
        """Nothing changes."""
        return False

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


class TriggeredAverage:
    """A mean that begins once validation has stopped improving: non-monotonically triggered averaging (NT-ASGD with
    SGD; Merity et al. 2018, arXiv:1708.02182, algorithm 1).

    That is when a validation is worse than the best of all but the `after` before it, n in the paper. Until then the
    model has its own weights. The share is as of `PowerAverage`, of the steps since then; the paper's is 1.
    """

    def __init__(self, parameters: Iterable[Tensor], after: int, share: float = 1.0) -> None:
        self.parameters, self.after, self.share = list(parameters), after, share
        self.validations: list[float] = []
        self.began = -1  # the last step before averaging
        self.mean: PowerAverage | None = None

    def update(self, step: int) -> None:
        """Take note of the weights after a step, counted from 1."""
        if self.mean is not None:
            self.mean.update(step - self.began)

    @property
    def waiting(self) -> bool:
        """Whether it has yet to begin."""
        return self.mean is None

    def validated(self, value: float, step: int) -> bool:
        """Take note of a validation after a step: the lower the value, the better. Whether it begins with this one."""
        begins = self.waiting and value > min(
            self.validations[: max(0, len(self.validations) - self.after)], default=value
        )
        if begins:
            self._begin(step)
        self.validations.append(value)
        return begins

    def in_place(self) -> AbstractContextManager[None]:
        """The model with the average for its weights, once there is one."""
        return nullcontext() if self.mean is None else self.mean.in_place()

    def state_dict(self) -> dict[str, Tensor]:
        """What to save."""
        own = {"validations": torch.tensor(self.validations, dtype=torch.float64), "began": torch.tensor(self.began)}
        return own | ({} if self.mean is None else self.mean.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.validations = state["validations"].tolist()
        if (began := int(state["began"])) >= 0:
            self._begin(began).load_state_dict(state)

    def _begin(self, step: int) -> PowerAverage:
        self.began, self.mean = step, PowerAverage(self.parameters, self.share)
        return self.mean


#: A mean of the weights, kept beside a training.
Average: TypeAlias = PowerAverage | TriggeredAverage


def make_average(parameters: Iterable[Tensor], share: float = 0.0, after: int = 0) -> Average | None:
    """The average that the options say; None where they say none.

    Args:
        parameters: whose average to keep.
        share: of the steps; 0 for all of them where `after` says when to begin, else for no average.
        after: validations without progress before it begins; 0 for from the start on.
    """
    if after:
        return TriggeredAverage(parameters, after, share or 1.0)
    return PowerAverage(parameters, share) if share else None
