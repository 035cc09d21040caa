"""From classes step by step to symbols, where a model was trained without their alignment (CTC)."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: Classes of a step that are looked at beside the blank, at most: others have next to no probability.
_TRIED = 40

Rows = npt.NDArray[np.float64]


class Transcript(NamedTuple):
    """Symbols, from 1, and their log-probability in nats: over all paths that the search has seen."""

    symbols: tuple[int, ...]
    log_probability: float


def best_path(scores: Rows) -> Transcript:
    """The most probable class of each step, repeats merged and blanks left out: fast, and not always the most probable
    transcript, as that has many paths. Its log-probability is that of the one path.

    Args:
        scores: `[T, V + 1]` log-probabilities, class 0 of the blank.
    """
    classes = scores.argmax(1)
    kept = np.r_[True, classes[1:] != classes[:-1]] & (classes != 0) if len(classes) else np.zeros(0, bool)
    return Transcript(tuple(classes[kept].tolist()), float(scores.max(1).sum()) if len(scores) else 0.0)


def prefix_beam_search(scores: Rows, width: int = 10) -> Transcript:
    """The most probable transcript that a beam of so many prefixes finds (Graves 2012, section 7.5.3; Hannun et al.
    2014, arXiv:1408.2873, algorithm 1).

    A prefix has the probability of all paths so far that say it, those that end in a blank apart from those that end in
    its last symbol: the same symbol again goes on with the latter, and is one more symbol after the former. With as
    many prefixes as there are, the search is exact.
    """
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for row in scores:
        tried = (np.argsort(-row[1:], kind="stable")[:_TRIED] + 1).tolist()
        found: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, symbol) in beam.items():
            total = _plus(blank, symbol)
            own = found.setdefault(prefix, [-math.inf, -math.inf])
            own[0] = _plus(own[0], total + row[0])
            if prefix:
                own[1] = _plus(own[1], symbol + row[prefix[-1]])
            for one in tried:
                before = blank if prefix and one == prefix[-1] else total
                longer = found.setdefault((*prefix, one), [-math.inf, -math.inf])
                longer[1] = _plus(longer[1], before + row[one])
        ranked = sorted(found.items(), key=lambda item: (-_plus(*item[1]), item[0]))
        beam = {prefix: (ends[0], ends[1]) for prefix, ends in ranked[:width]}
    best, ends = max(beam.items(), key=lambda item: _plus(*item[1]))
    return Transcript(best, float(_plus(*ends)))


def _plus(one: float, other: float) -> float:
    """log(e^a + e^b)."""
    low, high = (one, other) if one < other else (other, one)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
