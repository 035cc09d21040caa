"""A whole language model on NumPy arrays: texts to the next token's probabilities, and to texts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.text.stream_decoder import StreamDecoder
from ostinato.runtime.archive import Archive, Linear, log_softmax, softmax
from ostinato.runtime.texts import Tokenizer

Scores = NDArray[np.float32]


class LanguageModel:
    """What a run's language model computes, from `ostinato export RUN --to numpy`.

    Args:
        archive: the file.
        threads: at most this many; by default OMP_NUM_THREADS, or one for each processor.

    Attributes:
        tokenizer: texts to ids, and back.

    Raises:
        ConfigError: a cell that the native kernels lack.
    """

    def __init__(self, archive: Archive, threads: int | None = None) -> None:
        model, arrays = archive.model, archive.arrays
        self.tokenizer = Tokenizer(archive.about["tokenizer"], archive.about["level"])
        self._embedding = np.ascontiguousarray(arrays["embedding.weight"], np.float32)
        held = {"zoneout": model.get("zoneout", 0.0)}
        prefixes = [name for name in ("recurrent.", "last.") if any(key.startswith(name) for key in arrays)]
        self._layers = [archive.recurrent(prefix, threads, **held) for prefix in prefixes]
        self._separator: int | None = model.get("separator")
        if model.get("cutoffs"):
            self._output: Any = _Adaptive(archive)
        else:
            matrix = arrays.get("decoder.weight", self._embedding)  # tied: the embedding's
            self._output = Linear(matrix, arrays["decoder.bias"])

    def __call__(self, ids: NDArray[Any], state: Any = None, lengths: Any = None) -> tuple[Scores, Any]:
        """Read token ids.

        Args:
            ids: `[T, N]`.
            state: what an earlier call gave; zeros where None.
            lengths: `[N]` valid steps of each; T where None.

        Returns:
            Scores of the next token at each step, `[T, N, V]` (log-probabilities of an adaptive softmax), and the state
            after each text's last step.

        Raises:
            ValueError: ids that are not integers of the vocabulary.
        """
        ids = self._checked(ids, 2)
        x, resets = self._embedding[ids], None if self._separator is None else ids == self._separator
        found = []
        for layer, before in zip(self._layers, state or [None] * len(self._layers), strict=True):
            x, after = layer(x, before, lengths, resets=resets)
            found.append(after)
        return self._output(x), tuple(found)

    def numbers(self, inputs: NDArray[Any], lengths: Any = None) -> tuple[Scores, Any]:
        """A call, by the names of the run's model."""
        return self(inputs, None, lengths)

    def stream(self, batch_size: int = 1, state: Any = None) -> "Stream":
        """The model one token at a time, from an earlier state or from zeros."""
        return Stream(self, batch_size, state)

    def probabilities(self, text: str) -> NDArray[np.float32]:
        """`[V]` of each token to come next after a text, by its id: `tokenizer.token(id)`."""
        scores, _ = self(np.array([self._ids(text)]).T)
        return softmax(scores[-1, 0])

    def generate(
        self,
        prompt: str = "",
        length: int = 200,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        greedy: bool = False,
        stop: str | None = None,
        seed: int | None = None,
    ) -> str:
        """Write on from a prompt, as the run's `generate` does, from the same seed the same text.

        Args:
            prompt: text to go on from; nothing means the beginning of a text.
            length: tokens to write.
            temperature: below 1 more cautious, above 1 bolder; 0 is greedy.
            top_k: choose among so many most probable tokens only; 0 means all.
            top_p: choose among the most probable that make up this share together.
            greedy: always the most probable token.
            stop: end behind this text.
            seed: of the random choice; None for another text each time.

        Returns:
            What follows the prompt.

        Raises:
            ConfigError: an option out of range.
            DataError: characters that the model has never seen.
        """
        if temperature < 0 or top_k < 0 or not 0 < top_p <= 1 or length < 0:
            raise ConfigError("generate: expected temperature, top_k and length of at least 0, and 0 < top_p <= 1")
        choice = _Choice(0.0 if greedy else temperature, top_k, top_p, seed)
        decoder, text = StreamDecoder(self.tokenizer, after=prompt), ""
        for token in self._tokens(prompt, length, choice):
            text += decoder.step(token)
            if stop and stop in text:
                return text[: text.index(stop) + len(stop)]
        return text + decoder.finish()

    def _tokens(self, prompt: str, length: int, choice: "_Choice") -> Iterator[int]:
        if length < 1:
            return
        tokenizer, eos = self.tokenizer, self.tokenizer.eos_id
        never = set() if tokenizer.unk_id is None else {tokenizer.unk_id}
        if tokenizer.level == "char" and self._separator != eos:
            never.add(eos)
        scores, state = self(np.array([self._ids(prompt)]).T)
        logits, stream = scores[-1, 0], self.stream(1, state)
        for number in range(length):
            logits[list(never)] = -np.inf
            yield (token := choice.of(logits))
            if number + 1 < length:
                logits = stream.step(np.array([token]))[0]

    def _ids(self, text: str) -> list[int]:
        unknown = self.tokenizer.unknown(text)
        if unknown and self.tokenizer.level != "word":
            shown = ", ".join(map(repr, unknown))
            raise DataError(f"text: characters that the model has never seen: {shown}; leave them out")
        return [self.tokenizer.begin_id, *self.tokenizer.encode(text)]

    def _checked(self, ids: NDArray[Any], axes: int) -> NDArray[Any]:
        ids, V = np.asarray(ids), len(self._embedding)
        if ids.dtype.kind not in "iu" or ids.ndim != axes or (ids.size and not 0 <= ids.min() <= ids.max() < V):
            raise ValueError(f"ids: expected integers from 0 to {V - 1} in {axes} axes, got {ids.dtype} {ids.shape}")
        return ids


class Stream:
    """Steps of a language model, made by `LanguageModel.stream`."""

    def __init__(self, model: LanguageModel, batch_size: int, state: Any) -> None:
        self._model = model
        self._layers = [layer.stream(batch_size) for layer in model._layers]
        for layer, own in zip(self._layers, state or (), strict=False):
            for field, before in zip(layer.state, own, strict=True):
                field[:] = before

    def step(self, ids: NDArray[Any]) -> Scores:
        """Take a step: ids `[N]` to scores of the next token `[N, V]`."""
        model = self._model
        ids = model._checked(ids, 1)
        x, anew = model._embedding[ids], np.flatnonzero(ids == model._separator) if model._separator is not None else ()
        for layer in self._layers:
            if len(anew):
                layer.reset(list(anew))
            x = layer.step(x)
        found: Scores = model._output(x)
        return found

    @property
    def state(self) -> Any:
        """The state after the last step, a copy, as a call of the model has it."""
        return tuple(type(layer.state)(*(field.copy() for field in layer.state)) for layer in self._layers)


class _Adaptive:
    """The adaptive softmax' log-probabilities of every token."""

    def __init__(self, archive: Archive) -> None:
        edges = archive.model["cutoffs"]
        self._head, self._first = archive.linear("decoder.head"), edges[0]
        self._tails = [
            (archive.linear(f"decoder.tail.{number}.0"), archive.linear(f"decoder.tail.{number}.1"))
            for number in range(len(edges))
        ]

    def __call__(self, hidden: Scores) -> Scores:
        head = log_softmax(self._head(hidden))
        parts = [head[..., : self._first]]
        for number, (narrow, own) in enumerate(self._tails):
            of_cluster = head[..., self._first + number, None]
            parts.append(of_cluster + log_softmax(own(narrow(hidden))))
        return np.concatenate(parts, axis=-1)


class _Choice:
    """Tokens by their scores, drawn with the numbers that PyTorch's generator gives for a seed."""

    def __init__(self, temperature: float, top_k: int, top_p: float, seed: int | None) -> None:
        self._temperature, self._top_k, self._top_p = temperature, top_k, top_p
        self._random = np.random.RandomState(None if seed is None else seed & 0xFFFFFFFF)._bit_generator

    def of(self, logits: Scores) -> int:
        """One token from its scores `[V]`; of scores that are the same, the first."""
        if self._temperature == 0:
            return int(logits.argmax())
        if self._temperature != 1:
            logits = (logits - logits.max()) / np.float32(max(self._temperature, 1e-30))
        if 0 < self._top_k < len(logits):
            kept = np.argpartition(-logits, self._top_k - 1)[: self._top_k]
            best = np.full_like(logits, -np.inf)
            best[kept], logits = logits[kept], best
        probabilities = softmax(logits)
        if self._top_p < 1:
            order = np.argsort(-probabilities, kind="stable")
            before = np.cumsum(probabilities[order]) - probabilities[order]
            probabilities[order[before >= self._top_p]] = 0  # the token that crosses the line still counts
        below = probabilities.cumsum(dtype=np.float64)
        drawn = int(np.searchsorted(below, self._number() * below[-1], side="right"))
        return drawn if drawn < len(logits) else int(logits.argmax())

    def _number(self) -> float:
        high, low = (int(one) for one in self._random.random_raw(2))
        return ((high << 32 | low) & ((1 << 53) - 1)) / (1 << 53)
