"""Several language models of one vocabulary as one."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ostinato.models.ensemble import mean_of_classes
from ostinato.tasks.lm.model import LanguageModel


class EnsembleOutput(NamedTuple):
    """Log-probabilities of every token at every step, `[T, N, V]`, and the models' states one after the other."""

    log_probabilities: Tensor
    state: tuple[Tensor, ...]

    def logits(self) -> Tensor:
        """The log-probabilities, which are scores as well."""
        return self.log_probabilities

    def last(self) -> Tensor:
        """Those of the last step, `[N, V]`."""
        return self.log_probabilities[-1]


class LanguageModelEnsemble(nn.Module):
    """The mean of the probabilities that models give each next token.

    Args:
        models: of one vocabulary, whose documents begin alike.
    """

    def __init__(self, models: Sequence[LanguageModel]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self.separator = models[0].separator
        ends = accumulate((_fields(model) for model in models), initial=0)
        self._parts = [slice(*two) for two in pairwise(ends)]

    def forward(self, inputs: Tensor, state: Any = None) -> EnsembleOutput:
        """Read token ids `[T, N]`, from an earlier output's state, or zeros."""
        outputs = [model(inputs, own) for model, own in zip(self.models, self._split(state), strict=True)]
        together = tuple(field for output in outputs for field in output.state)
        return EnsembleOutput(mean_of_classes([output.logits() for output in outputs]), together)

    def stream(self, batch_size: int, state: Any = None) -> "EnsembleStream":
        """The models one token at a time, as `LanguageModel.stream`."""
        own = zip(self.models, self._split(state), strict=True)
        return EnsembleStream([model.stream(batch_size, one) for model, one in own])  # type: ignore[operator]

    def _split(self, state: Any) -> list[Any]:
        return [None if state is None else state[part] for part in self._parts]


class EnsembleStream:
    """Steps of several language models, made by `LanguageModelEnsemble.stream`."""

    def __init__(self, streams: Sequence[Any]) -> None:
        self._streams = streams

    @torch.no_grad()
    def step(self, ids: Tensor) -> Tensor:
        """Take a step: ids `[N]` to log-probabilities of the next token `[N, V]`."""
        return mean_of_classes([stream.step(ids) for stream in self._streams])

    @property
    def state(self) -> tuple[Tensor, ...]:
        """The states after the last step, as an output has them."""
        return tuple(field for stream in self._streams for field in stream.state)


def _fields(model: LanguageModel) -> int:
    """Tensors that a model's state consists of."""
    return sum(len(layer.cell.State._fields) for layer in (model.recurrent, model.last) if layer is not None)
