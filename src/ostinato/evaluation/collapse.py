"""Answers that are all alike: how many different ones there are, and what the best constant answer is worth."""

import warnings
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeAlias

_ORDERS = (1, 2, 3, 4)

#: Constant answers that are tried.
_TRIED = 20

#: Answers from which on a single one for all is a collapse.
_SEVERAL = 5

Words: TypeAlias = Sequence[str]
_Grams: TypeAlias = Counter[tuple[str, ...]]


def tell_collapsed(what: str, answers: Iterable[Hashable], expected: Iterable[Hashable], *, kinds: bool = False) -> int:
    """Count the different answers, and warn where they are far fewer than those expected: `what` each is, "label" or
    "caption"; of a few `kinds` half may be expected to come up, else a tenth."""
    said, right = Counter(answers), len(set(expected))
    (most, times), total = (said.most_common(1) or [("", 0)])[0], said.total()
    few = 2 * len(said) <= right if kinds else 10 * len(said) <= right or len(said) == 1
    if few and right > 1 and total >= _SEVERAL:
        found = f"{len(said):,} different {what}s, {times:,} times {most!r}"
        found = f"all the same {what}, {most!r}" if len(said) == 1 else found
        warnings.warn(
            f"the {total:,} answers are {found}, where {right:,} different ones were expected: the model hardly looks "
            "at what it is given; compare its figures with those of the best constant answer",
            stacklevel=3,
        )
    return len(said)


def constant_bleu(hypotheses: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """The highest BLEU-4, from 0 to 100, that one and the same text for all gets, of the most promising ones: the texts
    written most often, and those references (one or more for each) whose n-grams most others have.

    It is computed as sacrebleu does: over the corpus, the nearest reference's length, exponential smoothing.
    """
    highest = [_most([_grams(words) for words in texts]) for texts in references]
    shared: _Grams = Counter()
    for grams in highest:
        shared.update(grams.keys())
    lengths = [sorted({len(words) for words in texts}) for texts in references]
    every = {tuple(words): _grams(words) for texts in references for words in texts if words}
    # what most have, by its length: long texts have more n-grams, and of each more that nobody else has
    central = sorted(every, key=lambda words: -sum(shared[gram] for gram in every[words]) / (len(words) + 2))
    often = [words for words, _ in Counter(tuple(words) for words in hypotheses if words).most_common(_TRIED // 2)]
    tried = dict.fromkeys([*often, *central[: _TRIED - len(often)]])
    return max((_bleu(words, highest, lengths) for words in tried), default=0.0)


def _bleu(words: Words, references: Sequence[_Grams], lengths: Sequence[Sequence[int]]) -> float:
    """BLEU-4 of one text for all."""
    from sacrebleu.metrics.bleu import BLEU

    own, count, size = _grams(words), len(references), len(words)
    total = [count * max(size - n + 1, 0) for n in _ORDERS]
    right = [
        sum(min(times, there[gram]) for gram, times in own.items() if len(gram) == n for there in references)
        for n in _ORDERS
    ]
    length = sum(min(each, key=lambda other: (abs(other - size), other)) for each in lengths)
    return float(BLEU.compute_bleu(right, total, count * size, length, smooth_method="exp").score)


def _grams(words: Words) -> _Grams:
    return Counter(tuple(words[start : start + n]) for n in _ORDERS for start in range(len(words) - n + 1))


def _most(several: Sequence[_Grams]) -> _Grams:
    """The highest count of each n-gram in any of them."""
    found: _Grams = Counter()
    for grams in several:
        found |= grams
    return found
