"""Texts that are written side by side: a row each of one batch, which come and go between its steps."""

from collections.abc import Collection, Iterator, Sequence
from itertools import compress
from typing import Any

import torch
from torch import Tensor

from ostinato.data.text.tokenizer import Tokenizer
from ostinato.tasks.contract import Progress
from ostinato.tasks.lm.model import LanguageModel, row_scores
from ostinato.tasks.lm.options import SamplingOptions
from ostinato.tasks.lm.sampling import choose_each, uniform


class Writing:
    """A text under way: makes pieces of it of the tokens that it is given.

    Args:
        tokenizer: the model's.
        sampling: how tokens are chosen.
        length: tokens to write.
        stop: end once this text has been written.
        after: what stands in front.

    Attributes:
        sampling: as given.
        numbers: what draws are made by.
        left: tokens to write, if it does not end before.
        done: whether nothing more is to be written.
        after: the last sign of what stands in front of the next token.
    """

    def __init__(
        self, tokenizer: Tokenizer, sampling: SamplingOptions, length: int, *, stop: str | None = None, after: str = ""
    ) -> None:
        self.sampling, self.numbers = sampling, uniform(sampling.seed)
        self.done, self.after = length < 1, after[-1:]
        self.left, self._decoder, self._stop = length, tokenizer.decoder(after=after), Stop(stop)

    def take(self, token: int) -> str:
        """The text that one more token settles."""
        self.left -= 1
        piece = self._stop(self._decoder.step(token))
        if not self.left and not self._stop.met:
            piece += self._stop(self._decoder.finish())
        self.done = self._stop.met or not self.left
        self.after = piece[-1:] or self.after
        return piece


class Stop:
    """Passes pieces of a text on, up to and including a text that ends it; `met` says whether that has come."""

    def __init__(self, text: str | None) -> None:
        self._text, self._before, self.met = text, "", False

    def __call__(self, piece: str) -> str:
        """A piece, or what of it is not behind the end."""
        if not self._text:
            return piece
        written = self._before + piece
        at = written.find(self._text)
        if at >= 0:
            self.met = True
            return piece[: at + len(self._text) - len(self._before)]
        self._before = written[-len(self._text) :] if len(self._text) > 1 else ""
        return piece


#: Sequences that one step takes. More would hardly take less time each, and whoever comes waits for a step's end.
AT_ONCE = 16


class WritingRows:
    """A model's sequences side by side, each at a place of its own.

    A sequence has the same numbers as alone, to the last bit, whatever is beside it. Kernels see to that; where torch
    computes a layer, whose sums depend on how many rows there are, the sequences take their steps one by one.

    Args:
        model: in eval mode.
        capacity: sequences at most.
        never: tokens that are not written.

    Attributes:
        batched: whether a step of the model is one of several; texts may then be read in parts, too.
        at_once: how many at most.
        form: shape and dtype of each field of a sequence's state, by name.
    """

    def __init__(self, model: LanguageModel, capacity: int, *, never: Collection[int] = ()) -> None:
        self._model, self._never = model, torch.tensor(sorted(never), dtype=torch.long)
        stream = model.stream(min(capacity, AT_ONCE))
        self.batched = stream.independent
        self.at_once = stream.rows if self.batched else 1
        self._stream = stream if self.batched else model.stream(1)
        self.form = self._stream.form
        self._initial = self._stream.get(0)
        self._states = [field.new_empty(len(field), capacity, *field.shape[2:]) for field in self._initial]
        self._free = list(range(capacity))

    def read(self, ids: Sequence[int], state: Any) -> Any:
        """Read a text from a state, None for the beginning; returns the state behind it."""
        return self._model(torch.tensor(ids).unsqueeze(1), state).state

    def begin(self, ids: Sequence[int], state: Any) -> tuple[Tensor, Any]:
        """The same, and the scores `[1, V]` of the next token."""
        output = self._model(torch.tensor(ids).unsqueeze(1), state)
        return self._allowed(row_scores(self._model.decoder, output.hidden[-1])), output.state

    def join(self, state: Any) -> int:
        """Add a sequence, from a state, None for the beginning; its place."""
        place = self._free.pop()
        for field, own in zip(self._states, self._initial if state is None else state, strict=True):
            field[:, place] = own[:, 0]
        return place

    def leave(self, place: int) -> Any:
        """Take a sequence out and return its state."""
        self._free.append(place)
        return tuple(field[:, place : place + 1].clone() for field in self._states)

    def step(self, places: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """Let some sequences read a token each; the scores of their next ones, `[N, V]`."""
        count, rows = len(places), torch.tensor(places)
        self._stream.rows = count
        self._stream.put(0, tuple(field.index_select(1, rows) for field in self._states), count)
        scores = self._stream.step(torch.tensor(tokens))
        for field, own in zip(self._states, self._stream.get(0, count), strict=True):
            field.index_copy_(1, rows, own)
        return self._allowed(scores)

    def choose(self, scores: Tensor, writings: Sequence[Writing]) -> list[int]:
        """The next token of each, by its scores; those that choose alike at once."""
        tokens = [0] * len(writings)
        for sampling in dict.fromkeys(writing.sampling for writing in writings):
            alike = [writing.sampling == sampling for writing in writings]
            rows = [row for row, there in enumerate(alike) if there]
            own = scores if len(rows) == len(writings) else scores[rows]
            numbers: list[Iterator[float]] = [writing.numbers for writing in compress(writings, alike)]
            for row, token in zip(rows, choose_each(own, sampling, numbers), strict=True):
                tokens[row] = token
        return tokens

    def _allowed(self, scores: Tensor) -> Tensor:
        scores = scores.float()
        return scores.index_fill_(-1, self._never, -torch.inf) if len(self._never) else scores


#: Texts that are written at a time: more make a step no cheaper, and their states larger.
TOGETHER = 64


@torch.inference_mode()
def write_together(
    rows: WritingRows,
    asked: Sequence[tuple[Sequence[int], Writing]],
    capacity: int = TOGETHER,
    progress: Progress | None = None,
) -> Iterator[str]:
    """Write texts side by side; yields them in order, each as soon as it and those before it are written.

    Args:
        rows: of the model, empty.
        asked: of each, the ids that it goes on from, one or more, and what makes a text of tokens.
        capacity: texts at a time; who is done makes room for the next.
        progress: called with the texts' tokens so far, and those of all if none ends early.
    """
    tokens, total = 0, sum(writing.left for _, writing in asked)
    waiting = list(enumerate(asked))[::-1]
    under_way: dict[int, tuple[int, Writing, int]] = {}  # by place: number, text, the token that is to be read next
    written: list[list[str]] = [[] for _ in asked]
    ready, following = set(), 0

    def take(number: int, writing: Writing, token: int) -> bool:
        nonlocal tokens
        tokens += 1
        written[number].append(writing.take(token))
        if writing.done:
            ready.add(number)
        return not writing.done

    while waiting or under_way:
        while waiting and len(under_way) < capacity:
            number, (ids, writing) = waiting.pop()
            if writing.done:
                ready.add(number)
                continue
            scores, state = rows.begin(ids, None)
            (token,) = rows.choose(scores, [writing])
            if take(number, writing, token):
                under_way[rows.join(state)] = number, writing, token
        places = list(under_way)
        for begin in range(0, len(places), rows.at_once):
            some = places[begin : begin + rows.at_once]
            scores = rows.step(some, [under_way[place][2] for place in some])
            drawn = rows.choose(scores, [under_way[place][1] for place in some])
            for place, token in zip(some, drawn, strict=True):
                number, writing, _ = under_way[place]
                under_way[place] = number, writing, token
                if not take(number, writing, token):
                    rows.leave(place)
                    del under_way[place]
        if progress is not None:
            progress(tokens if waiting or under_way else total, total)
        while following in ready:
            yield "".join(written[following])
            written[following], following = [], following + 1
