"""A whole model of one answer to a sequence: texts, or numbers, to labels or values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.core.errors import DataError
from ostinato.core.figures import shortest
from ostinato.runtime.archive import Archive, softmax
from ostinato.runtime.texts import Tokenizer

#: Sequences computed at once.
AT_ONCE = 64

#: What standardised numbers are kept within, as in training.
_FARTHEST = 1e9


class SequenceModel:
    """What a run's classifier, or regression, computes, from `ostinato export RUN --to numpy`.

    Args:
        archive: the file.
        threads: at most this many; by default OMP_NUM_THREADS, or one for each processor.

    Attributes:
        tokenizer: of texts; None where sequences of numbers are read.

    Raises:
        ConfigError: a cell that the native kernels lack.
    """

    def __init__(self, archive: Archive, threads: int | None = None) -> None:
        self._about, model, arrays = archive.about, archive.model, archive.arrays
        text = "tokenizer" in self._about
        self.tokenizer = Tokenizer(self._about["tokenizer"], self._about["level"]) if text else None
        self._embedding = np.ascontiguousarray(arrays["input.weight"], np.float32) if text else None
        self._input = archive.linear("input") if not text and "input.weight" in arrays else None
        self._convolutions = [
            (arrays[f"convolutions.layers.{number}.weight"], arrays[f"convolutions.layers.{number}.bias"])
            for number in range(model.get("convolutions", 0))
        ]
        own = {name: model[name] for name in ("zoneout", "reverse", "merge") if name in model}
        self._recurrent = archive.recurrent("recurrent.", threads, **own)
        self._reverse, self._pooling = bool(model.get("reverse")), model["pooling"]
        self._output = archive.linear("output")
        if self._pooling == "attention":
            self._attention = archive.linear("attention.0"), archive.linear("attention.2")

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The answers to texts, or to arrays `[T, D]` of numbers as they were measured, as `ostinato predict` has them:
        the label and the probability of each, or the value of each target.

        Raises:
            DataError: an input of another kind or width.
        """
        found, about = self.outputs(inputs), self._about
        if "targets" in about:
            scale = about["target_scaling"]
            values = found.astype(np.float64) * np.array(scale["deviation"]) + np.array(scale["mean"])
            return [dict(zip(about["targets"], shortest(row), strict=True)) for row in values.astype(np.float32)]
        return list(map(self._labelled, found))

    def _labelled(self, scores: NDArray[np.float32]) -> dict[str, Any]:
        names, several = self._about["labels"], self._about["several_labels"]
        probabilities = 1 / (1 + np.exp(-scores)) if several else softmax(scores)
        by_name = dict(zip(names, shortest(probabilities.astype(np.float32)), strict=True))
        if not several:
            return {"label": max(by_name, key=by_name.__getitem__), "probabilities": by_name}
        said = [name for name, probability in by_name.items() if probability > 0.5]
        return {"label": self._about["between_labels"].join(said), "labels": said, "probabilities": by_name}

    def outputs(self, inputs: Sequence[Any]) -> NDArray[np.float32]:
        """`[N, C]` scores of the labels, or standardised values, of inputs as `predict` takes them."""
        read = [self._read(number, one) for number, one in enumerate(inputs)]
        width = len(self._about["targets"] if "targets" in self._about else self._about["labels"])
        found = np.zeros((len(read), width), np.float32)
        order = np.argsort([len(one) for one in read], kind="stable")
        for start in range(0, len(read), AT_ONCE):
            rows = order[start : start + AT_ONCE]
            found[rows] = self(*padded([read[row] for row in rows]))
        return found

    def __call__(self, inputs: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """What the model says, `[N, C]`, of ids `[T, N]` or standardised features `[T, N, D]` and `lengths` `[N]`."""
        x = inputs if self._embedding is None else self._embedding[inputs]
        x = np.ascontiguousarray(x if self._input is None else self._input(x), np.float32)
        if self._convolutions:
            x = _within(x, lengths)
        for weight, bias in self._convolutions:
            x, lengths = np.maximum(_halved(x, weight) + bias, 0), (lengths + 1) // 2
            x = _within(x, lengths)
        hidden, _ = self._recurrent(x, lengths=lengths)
        found: NDArray[np.float32] = self._output(self._pooled(hidden, lengths))
        return found

    def numbers(self, inputs: NDArray[Any], lengths: NDArray[np.int64]) -> tuple[NDArray[np.float32]]:
        """A call, by the names of the run's model."""
        return (self(inputs, lengths),)

    def _read(self, number: int, given: Any) -> NDArray[Any]:
        """Ids `[T]`, or standardised features `[T, D]`; of a longer one its first and its last halves."""
        if self.tokenizer is not None:
            if not isinstance(given, str):
                raise DataError(f"inputs[{number}]: expected a text, got {type(given).__name__}")
            steps: NDArray[Any] = np.array(self.tokenizer.encode(given), np.int64)
        else:
            steps = standardised(number, given, self._about["scaling"])
        longest = self._about["max_length"]
        if longest is None or len(steps) <= longest:
            return steps
        first = -(-longest // 2)
        return np.concatenate([steps[:first], steps[len(steps) - (longest - first) :]])

    def _pooled(self, hidden: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """One vector a sequence, `[N, P]`: P is S*O, three times that of concat pooling."""
        T, N, _ = hidden.shape
        if self._pooling != "attention":
            kinds = ("last", "max", "mean") if self._pooling == "concat" else (self._pooling,)
            return np.concatenate([self._by(kind, hidden, lengths) for kind in kinds], axis=-1)
        if not T:
            return np.zeros((N, hidden.shape[2]), np.float32)
        beyond = np.arange(T)[:, None] >= lengths
        below, above = self._attention
        scores = np.where(beyond, -np.inf, above(np.tanh(below(hidden)))[..., 0])
        powers = np.where(beyond, 0, np.exp(scores - np.where(lengths == 0, 0, scores.max(0))))
        weights = powers / np.maximum(powers.sum(0), np.finfo(np.float32).tiny)
        return np.einsum("tn,tnh->nh", weights, hidden).astype(np.float32)

    def _by(self, kind: str, hidden: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """The same without attention, `[N, S*O]`."""
        T, N, _ = hidden.shape
        if not T:
            return np.zeros((N, hidden.shape[2]), np.float32)
        if kind == "last":
            return self._last(hidden, lengths)
        if kind == "mean":
            return np.asarray(hidden.sum(0) / np.maximum(lengths, 1)[:, None], np.float32)
        beyond = np.arange(T)[:, None] >= lengths
        largest = np.where(beyond[:, :, None], -np.inf, hidden).max(0)
        return np.where((lengths == 0)[:, None], 0, largest).astype(np.float32)

    def _last(self, hidden: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        last = hidden[0] if self._reverse else hidden[np.maximum(lengths - 1, 0), np.arange(hidden.shape[1])]
        if not self._recurrent.bidirectional:
            return last
        half = hidden.shape[-1] // 2
        return np.concatenate([last[:, :half], hidden[0, :, half:]], axis=-1)


def _halved(x: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """A convolution over time of stride 2 with zeros around: `[T, N, D] -> [ceil(T / 2), N, C]`."""
    C, D, kernel = weight.shape
    T, N = x.shape[:2]
    if not T:
        return np.zeros((0, N, C), np.float32)
    edged = np.pad(x, ((kernel // 2, kernel // 2), (0, 0), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(edged, kernel, axis=0)[::2]  # [T', N, D, kernel]
    found = windows.reshape(-1, D * kernel) @ weight.reshape(C, -1).T
    return found.reshape(-1, N, C)


def _within(x: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """Zeros beyond the lengths."""
    return np.where((np.arange(len(x))[:, None] < lengths)[..., None], x, np.float32(0))


def standardised(number: int, given: Any, scale: Mapping[str, Any]) -> NDArray[np.float32]:
    """Numbers `[T, D]` as they were measured, by a scale's `mean` and `deviation` of each channel.

    Raises:
        DataError: of another kind or width, or infinite; names the input by its number.
    """
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"inputs[{number}]: expected an array of numbers [T, D], got {type(given).__name__}") from None
    values = values[:, None] if values.ndim == 1 else values
    D = len(scale["mean"])
    if values.ndim != 2 or values.shape[1] != D:
        raise DataError(f"inputs[{number}]: expected {D} channels, [T, {D}], got shape {values.shape}")
    if np.isinf(values).any():
        raise DataError(f"inputs[{number}]: expected finite numbers, got infinite ones")
    # what is missing is taken as its channel's mean in training
    found = np.nan_to_num((values - np.array(scale["mean"])) / np.array(scale["deviation"]), nan=0.0)
    return found.clip(-_FARTHEST, _FARTHEST).astype(np.float32)


def padded(parts: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Sequences side by side, zeros behind their ends: `[T, N, ...]`, and the lengths `[N]`."""
    lengths = np.array([len(part) for part in parts], np.int64)
    found = np.zeros((int(lengths.max(initial=0)), len(parts), *parts[0].shape[1:]), parts[0].dtype)
    for row, part in enumerate(parts):
        found[: len(part), row] = part
    return found, lengths
