"""Several trained models as one: at each place the mean of what they say."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


def mean_of_values(values: Sequence[Tensor]) -> Tensor:
    """Their mean."""
    return torch.stack([*values]).mean(0)


def mean_of_classes(scores: Sequence[Tensor]) -> Tensor:
    """Logarithms of the mean probabilities that scores `[..., C]` of classes stand for: scores of the same kind."""
    logarithms = torch.stack([each.float().log_softmax(-1) for each in scores])
    return logarithms.logsumexp(0) - math.log(len(scores))


def mean_of_labels(scores: Sequence[Tensor]) -> Tensor:
    """Log odds of the mean probabilities that scores `[..., C]` stand for, of labels that do not exclude each other."""
    yes = torch.stack([nn.functional.logsigmoid(each.float()) for each in scores]).logsumexp(0)
    no = torch.stack([nn.functional.logsigmoid(-each.float()) for each in scores]).logsumexp(0)
    return yes - no


class WriterStates(NamedTuple):
    """The states of several decoders that write the same hypotheses."""

    each: tuple[Any, ...]

    def select(self, rows: Tensor, memories: Tensor | None = None) -> "WriterStates":
        """Some of the hypotheses, as `DecoderState.select`."""
        return WriterStates(tuple(state.select(rows, memories) for state in self.each))


class WriterEnsemble(nn.Module):
    """Models that write what they read or see, as one: `start`, then `decoder.step`.

    Each token's probability is the mean of theirs, given what has been written so far: a search finds one text for all.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    @property
    def decoder(self) -> "WriterEnsemble":
        """Itself."""
        return self

    def start(self, *inputs: Any) -> WriterStates:
        """The states before the first step, once the models have read."""
        return WriterStates(tuple(model.start(*inputs) for model in self.models))  # type: ignore[operator]

    def step(self, tokens: Tensor, state: WriterStates) -> tuple[Tensor, WriterStates]:
        """As `SequenceDecoder.step`."""
        steps = [
            model.decoder.step(tokens, own)  # type: ignore[operator, union-attr]
            for model, own in zip(self.models, state.each, strict=True)
        ]
        return mean_of_classes([scores for scores, _ in steps]), WriterStates(tuple(after for _, after in steps))
