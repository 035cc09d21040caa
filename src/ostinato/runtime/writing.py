"""A decoder on NumPy arrays: it writes token after token, and may look at what was read."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.core.errors import ConfigError, DataError
from ostinato.runtime.archive import Archive, Linear, log_softmax, softmax

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


class Memory(NamedTuple):
    """What is attended over: `keys` `[N, S, K]`, `values` `[N, S, M]`; `absent` `[N, S]` is true of nothing."""

    keys: Floats
    values: Floats
    absent: NDArray[np.bool_]


class State(NamedTuple):
    """What the next step depends on.

    Attributes:
        first: of the first layer, `[1, N, size]` a field.
        above: of the layers above it, `[L-1, N, size]` a field; None where there are none.
        peek: `[N, O]`, what each step sees of the beginning; None unless peeky.
        fed: `[N, R]`, what the step before gave; None without input feeding.
        memory: None without attention; of one row, all rows look at it.
    """

    first: Any
    above: Any
    peek: Floats | None
    fed: Floats | None
    memory: Memory | None

    def rows(self, rows: Sequence[int]) -> "State":
        """Some of the rows, in another order; the memory stays."""

        def of(fields: Any) -> Any:
            return None if fields is None else type(fields)(*(field[:, rows] for field in fields))

        peek, fed = (None if field is None else field[rows] for field in (self.peek, self.fed))
        return State(of(self.first), of(self.above), peek, fed, self.memory)

    def of(self, row: int) -> "State":
        """One row with its own memory."""
        memory, one = self.memory, slice(row, row + 1)
        if memory is not None:
            memory = Memory(memory.keys[one], memory.values[one], memory.absent[one])
        return self.rows([row])._replace(memory=memory)


class Decoder:
    """What a run's decoder computes.

    Args:
        archive: a file whose model has one.
        threads: at most this many; None for the default.
    """

    def __init__(self, archive: Archive, threads: int | None) -> None:
        model, arrays = archive.model, archive.arrays
        held = {"zoneout": model.get("zoneout", 0.0)}
        # a tied weight stands in the file under its first name
        embedding = arrays.get("decoder.embedding.weight", arrays.get("encoder.embedding.weight"))
        assert embedding is not None
        self._embedding = np.ascontiguousarray(embedding, np.float32)
        self._output = Linear(arrays.get("decoder.output.weight", embedding), arrays["decoder.output.bias"])
        self._first = archive.recurrent("decoder.first.", threads, **held)
        above = any(name.startswith("decoder.above.") for name in arrays)
        self._above = archive.recurrent("decoder.above.", threads, **held) if above else None
        self._readout = archive.linear("decoder.readout") if "decoder.readout.weight" in arrays else None
        self._peeky, self._feeds = bool(model.get("peeky")), bool(model.get("input_feeding"))
        score = model.get("attention", "general")
        self._attention = None if score is None else _Attention(archive, score)
        self._read_size = len(np.asarray(arrays.get("decoder.output.weight", embedding)).T)

    @property
    def fields(self) -> dict[str, int]:
        """The state's fields, with their widths."""
        return {name: field.shape[2] for name, field in self._first.initial_state(1)._asdict().items()}

    def start(self, fields: Sequence[Floats], memory: Floats, lengths: Ids) -> State:
        """The state before the first step.

        Args:
            fields: of all layers, `[L, N, size]` each.
            memory: `[S, N, M]`.
            lengths: `[N]` valid steps of it.
        """
        N, made = fields[0].shape[1], None
        fed = np.zeros((N, self._read_size), np.float32) if self._feeds else None
        if self._attention is not None:
            made = self._attention.memorize(memory, lengths)
        first = self._first.State(*(field[:1] for field in fields))
        above = None if self._above is None else self._above.State(*(field[1:] for field in fields))
        return State(first, above, fields[0][-1] if self._peeky else None, fed, made)

    def __call__(self, tokens: Ids, state: State) -> tuple[Floats, State]:
        """Scores `[T, N, V]` of the tokens that come behind each of `tokens` `[T, N]`, and the state."""
        if not self._feeds:
            return self._read(tokens, state)
        found = []
        for row in tokens:
            scores, state = self._read(row[None], state)
            found.append(scores)
        return np.concatenate(found), state

    def _read(self, tokens: Ids, state: State) -> tuple[Floats, State]:
        """The same where no step reads what another one gave."""
        T = len(tokens)
        peek = [] if state.peek is None else [np.broadcast_to(state.peek, (T, *state.peek.shape))]
        fed = [] if state.fed is None else [state.fed[None]]
        h, first = self._first(_joined(self._embedding[tokens], *peek, *fed), state.first)
        above, seen = state.above, []
        if self._attention is not None and state.memory is not None:
            seen = [self._attention(h, state.memory)]
        if self._above is not None:
            h, above = self._above(_joined(h, *seen), above)
        read = _joined(h, *seen, *peek)
        if self._readout is not None:
            read = np.tanh(self._readout(read))
        after = State(first, above, state.peek, read[-1] if self._feeds else None, state.memory)
        return self._output(read), after


class _Attention:
    """The mean of a memory's values, weighted by how well their keys fit a query: dot, general or additive."""

    def __init__(self, archive: Archive, score: str) -> None:
        self._score = score
        self._key = None if score == "dot" else archive.linear("decoder.attention.key")
        if score == "additive":
            self._query = archive.linear("decoder.attention.query")
            self._weight = archive.arrays["decoder.attention.weight"]

    def memorize(self, memory: Floats, lengths: Ids) -> Memory:
        absent = (np.arange(len(memory))[:, None] >= lengths).T
        values = np.where(absent[:, :, None], np.float32(0), memory.swapaxes(0, 1))
        return Memory(values if self._key is None else self._key(values), values, absent)

    def __call__(self, query: Floats, memory: Memory) -> Floats:
        """Means `[T, N, M]` for queries `[T, N, Q]`."""
        query, absent = query.swapaxes(0, 1), memory.absent[:, None]
        if self._score == "additive":
            scores = np.tanh(self._query(query)[:, :, None] + memory.keys[:, None]) @ self._weight
        else:
            scores = query @ memory.keys.swapaxes(1, 2)
        lowest = np.finfo(np.float32).min  # minus infinity would give NaN where nothing is present
        weights = np.where(absent, np.float32(0), softmax(np.where(absent, lowest, scores)))
        return np.ascontiguousarray((weights @ memory.values).swapaxes(0, 1))


class Search:
    """From a decoder to a text, as runs have it: the most probable token each time, or the best of several hypotheses.

    Args:
        archive: a file whose model writes.
    """

    def __init__(self, archive: Archive) -> None:
        about = archive.about
        self.end, self._never, self._alpha = about["end"], list(about["never_written"]), about["length_penalty"]
        self.max_length: int = about["max_length"]
        self._width: int = about["beam"]

    def best(self, decoder: Decoder, state: State, limit: int, width: int | None) -> tuple[list[int], float]:
        """The tokens that are written, without the end, and their score.

        Args:
            decoder: what is asked.
            state: of one row.
            limit: tokens at most.
            width: of the beam; 1 is greedy, None the default.

        Returns:
            The score is the log-probability in nats, of a beam over its length penalty.

        Raises:
            ConfigError: a width below 1.
            DataError: scores that are no numbers.
        """
        width = self._width if width is None else width
        if width < 1:
            raise ConfigError(f"beam: expected a width of at least 1, got {width}")
        return self._greedy(decoder, state, limit) if width == 1 else self._beam(decoder, state, limit, width)

    def _greedy(self, decoder: Decoder, state: State, limit: int) -> tuple[list[int], float]:
        written: list[int] = []
        token, total = self.end, 0.0
        while True:
            scores, state = decoder(np.array([[token]]), state)
            logs = self._log_probabilities(scores[0], last=len(written) == limit)[0]
            token = int(logs.argmax())
            total += float(logs[token])
            if token == self.end:
                return written, total
            written.append(token)

    def _beam(self, decoder: Decoder, state: State, limit: int, width: int) -> tuple[list[int], float]:
        """As `ostinato.decoding.beam_search`, of one text."""
        ended: list[tuple[float, list[int]]] = []
        written: list[list[int]] = [[]]
        tokens, totals = np.array([self.end]), np.zeros(1)
        for length in range(1, limit + 2):
            scores, state = decoder(tokens[None], state)
            sums = totals[:, None] + self._log_probabilities(scores[0], last=length > limit)
            found = [(float(sums.flat[place]), *divmod(int(place), sums.shape[1])) for place in _most(sums, 2 * width)]
            penalty = ((5 + length) / 6) ** self._alpha
            for total, row, token in found[:width]:
                if token == self.end and math.isfinite(total):
                    ended.append((total / penalty, written[row]))
            alive = [one for one in found if one[2] != self.end and math.isfinite(one[0])][:width]
            best = max((score for score, _ in ended), default=-math.inf)
            if not alive or (len(ended) >= width and best >= alive[0][0] / penalty):
                break
            written = [[*written[row], token] for _, row, token in alive]
            totals, tokens = np.array([one[0] for one in alive]), np.array([one[2] for one in alive])
            state = state.rows([one[1] for one in alive])
        if not ended:
            raise DataError("expected finite scores of the next token, got none")
        score, kept = max(ended, key=lambda one: one[0])
        return kept, score

    def _log_probabilities(self, scores: Floats, last: bool) -> Floats:
        """`[K, V]`, minus infinity for what may not come: at the `last` step, for all but the end."""
        logs = log_softmax(scores)
        logs[:, self._never] = -np.inf
        if last:
            ends = logs[:, self.end].copy()
            logs[:] = -np.inf
            logs[:, self.end] = ends
        return logs


def _most(values: NDArray[Any], count: int) -> NDArray[Any]:
    """Where the largest so many values of an array are, the largest first."""
    flat = values.ravel()
    places = np.argpartition(-flat, count - 1)[:count] if count < flat.size else np.arange(flat.size)
    return np.asarray(places[np.argsort(-flat[places], kind="stable")])


def _joined(*parts: Floats) -> Floats:
    return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1), np.float32)
