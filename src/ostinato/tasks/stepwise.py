"""Sequences that come step by step, and what a many-to-one model says of them after each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.labelled.examples import Raw
from ostinato.data.labelled.reading import SequenceCodec
from ostinato.layers.by_rows import layer_by_rows
from ostinato.models.many_to_one import ManyToOne
from ostinato.tasks.trained import Trained

#: Sequences that take a step together.
_AT_ONCE = 16


class StepsOfSequences:
    """Sequences of which each step is answered, with what the model says of all of it so far.

    Args:
        run: of a task whose codec has a `SequenceCodec` as `reads`, and whose model is a `ManyToOne`.
        answers: of each sequence, from the model's outputs `[N, C]`.

    Attributes:
        at_once: sequences that take a step together, at most.

    Raises:
        ConfigError: a model that reads both ways, and so has to see the end first, or steps together.
    """

    def __init__(self, run: Trained, answers: Callable[[Tensor], Iterable[Any]]) -> None:
        assert isinstance(run.model, ManyToOne)
        require_one_way(run)
        self._model, self._codec, self._answers = run.model, run.codec.reads, answers
        self._stream = run.model.recurrent.stream(_AT_ONCE)
        self.at_once = _AT_ONCE if self._stream.independent else 1
        self._initial = self._stream.get(0)

    def begin(self) -> "_Sequence":
        """A new sequence."""
        return _Sequence(self._initial, _Pooled(self._model))

    def read(self, sequence: "_Sequence", step: Any) -> Tensor:
        """Ids `[T]` or features `[1, D]` of a step: a number, numbers of each channel, or of a text a piece, such as a
        word with the blank in front of it.

        Raises:
            DataError: a step of another kind.
        """
        codec: SequenceCodec = self._codec
        if codec.tokenizer is not None:
            if not isinstance(step, str):
                raise DataError(f"step: expected a piece of text, got {type(step).__name__}")
            return torch.from_numpy(codec.encode(_raw(step))[0].astype(np.int64))
        row = step if isinstance(step, list) else [step]
        try:
            values = np.array([row], np.float64)
        except (TypeError, ValueError):
            raise DataError("step: expected a number, or a list of one for each channel") from None
        if values.ndim != 2 or np.isinf(values).any() or not all(isinstance(v, int | float) for v in row):
            raise DataError("step: expected a finite number, or a list of one for each channel")
        return torch.from_numpy(codec.encode(_raw(values))[0])

    @torch.no_grad()
    def push(self, sequences: "Sequence[_Sequence]", read: Sequence[Tensor]) -> list[Any]:
        """What is said of each after one more step; a piece of a text takes several of the model's."""
        for t in range(max(map(len, read))):
            some = [number for number, own in enumerate(read) if t < len(own)]
            self._step([sequences[number] for number in some], torch.stack([read[number][t] for number in some]))
        pooled = torch.cat([sequence.pooled.vector for sequence in sequences])
        return list(self._answers(layer_by_rows(self._model.output, pooled)))

    def _step(self, sequences: "Sequence[_Sequence]", x: Tensor) -> None:
        count, fields = len(sequences), zip(*(sequence.state for sequence in sequences), strict=True)
        self._stream.rows = count
        self._stream.put(0, tuple(torch.cat(field, 1) for field in fields), count)
        outputs = self._stream.step(layer_by_rows(self._model.input, x))
        for row, sequence in enumerate(sequences):
            sequence.state = self._stream.get(row)
            sequence.pooled.add(outputs[row : row + 1])


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
    if getattr(run.model, "convolutions", None) is not None:
        raise ConfigError(
            f"{run.folder.path.name}: its model reads several steps together, and has no answer to each; train with "
            "--convolutions 0, or send whole sequences to /answer"
        )


@dataclass(eq=False)
class _Sequence:
    """Where a sequence stands: the recurrent layers' state, and what pooling has made of their outputs."""

    state: tuple[Tensor, ...]
    pooled: "_Pooled"


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
