"""From a decoder to sequences: the most probable token each time, or the best of several hypotheses (beam search)."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self, TypeAlias

import torch
from torch import Tensor

from ostinato.core.errors import ConfigError
from ostinato.core.memory import require_room

_SCORE = 24  #: bytes that the search takes for each token of each hypothesis: its score in three copies


class State(Protocol):
    """What a step depends on, for N sequences with K hypotheses each: N*K rows, a sequence's side by side."""

    def select(self, rows: Tensor, memories: Tensor | None = None) -> Self:
        """Some of the rows `[R']`; and of the N sequences those in `memories` `[N']`, where they change."""


#: `(tokens [N, K], state) -> (logits [N, K, V], state)`; the first call has K = 1.
Step: TypeAlias = Callable[[Tensor, Any], tuple[Tensor, Any]]


class Hypothesis(NamedTuple):
    """One sequence written, without the token that ended it; its log-probability with that end, in nats, and the score
    that hypotheses are ranked by: the log-probability over the length penalty."""

    tokens: list[int]
    log_probability: float
    score: float


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6)^alpha, Wu et al. 2016, arXiv:1609.08144, equation 14; the end counts as a token."""
    return ((5 + length) / 6) ** alpha


@torch.no_grad()
def greedy_search(
    step: Step, state: State, limits: Tensor, *, start: int = 0, end: int = 0, never: Collection[int] = ()
) -> list[Hypothesis]:
    """The most probable token at each step, for N sequences side by side; arguments as in `beam_search`, a hypothesis
    each."""
    count = len(limits)
    written: list[list[int]] = [[] for _ in range(count)]
    total = torch.zeros(count, dtype=torch.float64)
    running, tokens = torch.arange(count), torch.full((count, 1), start)
    while len(running):
        logits, state = step(tokens, state)
        scores = _log_probabilities(logits, end, never, limits[running] <= len(written[int(running[0])]))[:, 0]
        best, tokens = scores.max(-1, keepdim=True)
        total[running] += best[:, 0].double()
        goes_on = tokens[:, 0] != end
        if not bool(goes_on.all()):
            kept = goes_on.nonzero()[:, 0]
            running, tokens, state = running[kept], tokens[kept], state.select(kept, kept)
        for index, token in zip(running.tolist(), tokens[:, 0].tolist(), strict=True):
            written[index].append(token)
    return [Hypothesis(tokens, score, score) for tokens, score in zip(written, total.tolist(), strict=True)]


@torch.no_grad()
def beam_search(
    step: Step,
    state: State,
    limits: Tensor,
    *,
    width: int = 5,
    alpha: float = 1.0,
    start: int = 0,
    end: int = 0,
    never: Collection[int] = (),
) -> list[list[Hypothesis]]:
    """The best of several hypotheses, for N sequences side by side.

    At each step the K best continuations of a sequence's hypotheses go on; those that end among the K best are set
    aside. A sequence is done when K have ended and none that still runs scores better at its present length than the
    best of them. With K at least the number of all possible sequences the search is exhaustive.

    Args:
        step: one step of a decoder; see `Step`.
        state: before the first step, N rows.
        limits: `[N]`, most tokens to write; the end is not counted. A hypothesis that long has to end.
        width: K.
        alpha: of the length penalty; 0 compares plain log-probabilities.
        start: id to begin with.
        end: id that ends a sequence.
        never: ids that are not to be written.

    Returns:
        For each of the N sequences at most K hypotheses, the best first, at least one.

    Raises:
        ConfigError: a width below 1, or one that does not fit into memory, or scores that are no numbers.
    """
    if width < 1:
        raise ConfigError(f"beam: expected a width of at least 1, got {width}")
    found: list[list[Hypothesis]] = [[] for _ in range(len(limits))]
    beam = _Beam.begin(len(limits), start)
    while len(beam.running):
        logits, state = step(beam.tokens[:, :, -1], state)
        if beam.tokens.shape[2] == 1:
            cells = len(limits) * width * logits.shape[-1]
            require_room(
                _SCORE * cells, f"a beam of {width:,} over {logits.shape[-1]:,} tokens", "choose a narrower one"
            )
        length = beam.tokens.shape[2]
        must_end = limits[beam.running] < length
        totals = beam.scores.unsqueeze(-1) + _log_probabilities(logits, end, never, must_end).double()
        scores, places = totals.flatten(1).topk(min(2 * width, totals[0].numel()))
        parents, tokens = places // totals.shape[2], places % totals.shape[2]
        ends = (tokens == end) & scores.isfinite()
        for n, rank in ends[:, :width].nonzero().tolist():
            score = float(scores[n, rank])
            kept = beam.tokens[n, parents[n, rank], 1:].tolist()
            found[int(beam.running[n])].append(Hypothesis(kept, score, score / length_penalty(length, alpha)))
        alive, places = scores.masked_fill(tokens == end, -torch.inf).topk(min(width, scores.shape[1]))
        best = (alive[:, 0] / length_penalty(length, alpha)).tolist()
        going_on = [n for n, now in enumerate(best) if not _done(found[int(beam.running[n])], now, width)]
        rows = torch.tensor(going_on, dtype=torch.long)
        parents, tokens = parents.gather(1, places)[rows], tokens.gather(1, places)[rows]
        hypotheses = beam.tokens.shape[1]
        memories = None if len(rows) == len(beam.running) else rows
        state = state.select((rows.unsqueeze(1) * hypotheses + parents).flatten(), memories)
        beam = beam.extended(rows, parents, tokens, alive[rows])
    if not all(found):
        raise ConfigError("beam: expected finite scores of the next token, got none for some sequence")
    return [sorted(each, key=lambda one: -one.score)[:width] for each in found]


@dataclass(frozen=True)
class _Beam:
    """Hypotheses that still run: `tokens [N, K, T]` with the start in front, `scores [N, K]`, `running [N]`."""

    tokens: Tensor
    scores: Tensor
    running: Tensor

    @classmethod
    def begin(cls, count: int, start: int) -> Self:
        zeros = torch.zeros(count, 1, dtype=torch.float64)
        return cls(torch.full((count, 1, 1), start), zeros, torch.arange(count))

    def extended(self, rows: Tensor, parents: Tensor, tokens: Tensor, scores: Tensor) -> Self:
        """Of the sequences in `rows`, the hypotheses `parents [N', K']`, each with one token more."""
        before = self.tokens[rows.unsqueeze(1), parents]
        return type(self)(torch.cat([before, tokens.unsqueeze(-1)], dim=-1), scores, self.running[rows])


def _done(ended: list[Hypothesis], best_running: float, width: int) -> bool:
    if not math.isfinite(best_running):  # nothing runs, or what runs has no score, and never would end
        return True
    return len(ended) >= width and max(one.score for one in ended) >= best_running


def _log_probabilities(logits: Tensor, end: int, never: Collection[int], must_end: Tensor) -> Tensor:
    """`[N, K, V]`, minus infinity for what may not come; where `must_end [N]`, all but the end."""
    scores = logits.float().log_softmax(-1)
    if never:
        scores[..., sorted(never)] = -torch.inf
    if bool(must_end.any()):
        ends = scores[..., end].clone()
        scores = scores.masked_fill(must_end[:, None, None], -torch.inf)
        scores[..., end] = ends
    return scores


def best_sequences(
    step: Step, state: State, limits: Tensor, *, width: int, alpha: float = 1.0, never: Collection[int] = ()
) -> list[list[int]]:
    """The tokens of the best hypothesis for each of N sequences: by `greedy_search` where the width is 1, else by
    `beam_search`; arguments as theirs.
    """
    if width == 1:
        return [one.tokens for one in greedy_search(step, state, limits, never=never)]
    return [found[0].tokens for found in beam_search(step, state, limits, width=width, alpha=alpha, never=never)]
