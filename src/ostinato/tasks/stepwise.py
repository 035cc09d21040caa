"""Sequences that come step by step, and what a many-to-one model says of them after each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.labelled.examples import Raw
from ostinato.data.labelled.reading import SequenceCodec
from ostinato.models.many_to_one import ManyToOne
from ostinato.tasks.trained import Trained


class StepsOfSequence:
    """A sequence of which each step is answered, with what the model says of all of it so far.

    Args:
        run: of a task whose codec has a `SequenceCodec` as `reads`, and whose model is a `ManyToOne`.
        answer: from the model's outputs `[1, C]`.

    Raises:
        ConfigError: a model that reads both ways, and so has to see the end first.
    """

    def __init__(self, run: Trained, answer: Callable[[Tensor], Any]) -> None:
        assert isinstance(run.model, ManyToOne)
        require_one_way(run)
        self._model, self._codec, self._answer = run.model, run.codec.reads, answer
        self._stream = run.model.recurrent.stream(1)
        self._pooled = _Pooled(run.model)

    @torch.no_grad()
    def push(self, step: Any) -> Any:
        """The answer after one more step: a number, numbers of each channel, or of a text a piece, such as a word with
        the blank in front of it.

        Raises:
            DataError: a step of another kind.
        """
        for x in self._encoded(step):
            self._pooled.add(self._stream.step(self._model.input(x)))
        return self._answer(self._model.output(self._pooled.vector))

    def _encoded(self, step: Any) -> Tensor:
        """Ids `[T, 1]`, or features `[1, 1, D]`."""
        codec: SequenceCodec = self._codec
        if codec.tokenizer is not None:
            if not isinstance(step, str):
                raise DataError(f"step: expected a piece of text, got {type(step).__name__}")
            return torch.from_numpy(codec.encode(_raw(step))[0].astype(np.int64)).unsqueeze(1)
        row = step if isinstance(step, list) else [step]
        try:
            values = np.array([row], np.float64)
        except (TypeError, ValueError):
            raise DataError("step: expected a number, or a list of one for each channel") from None
        if values.ndim != 2 or np.isinf(values).any() or not all(isinstance(v, int | float) for v in row):
            raise DataError("step: expected a finite number, or a list of one for each channel")
        return torch.from_numpy(codec.encode(_raw(values))[0]).unsqueeze(1)


def require_one_way(run: Trained) -> None:
    """That a model reads from the beginning only.

    Raises:
        ConfigError: it does not.
    """
    layer: Any = run.model.recurrent
    if layer.bidirectional or layer.reverse:
        raise ConfigError(
            f"{run.folder.path.name}: its model reads both ways, and says nothing before the end of a sequence; train "
            "with --no-bidirectional, or send whole sequences to /answer"
        )


class _Pooled:
    """What pooling makes of the outputs so far."""

    def __init__(self, model: ManyToOne) -> None:
        self._model, self._count = model, 0
        self._sum = self._weight = torch.zeros(1, 1)
        self._best = torch.full((1, 1), -torch.inf)
        self._largest = torch.full((1, 1), -torch.inf)
        self.vector = torch.zeros(1, model.output.in_features)

    def add(self, output: Tensor) -> None:
        """One more output `[1, O]`."""
        self._count += 1
        if self._model.attention is None:
            self._largest = torch.maximum(self._largest, output)
            self._sum = self._sum + output
            kinds = {"last": output, "max": self._largest, "mean": self._sum / self._count}
            pooling = self._model.pooling
            self.vector = torch.cat([*kinds.values()], dim=-1) if pooling == "concat" else kinds[pooling]
        else:  # the sums of a softmax whose largest score may still come
            score = self._model.attention(output)
            best = torch.maximum(self._best, score)
            kept, own = (self._best - best).exp(), (score - best).exp()
            self._sum, self._weight = self._sum * kept + own * output, self._weight * kept + own
            self._best, self.vector = best, self._sum / self._weight


def _raw(step: Any) -> Raw:
    return Raw("step", [step], [None], lambda row: "step", None, "")
