"""Spans of tagged words, such as names, and how many of them were found: the measure of CoNLL's shared tasks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """Consecutive words of one kind: those from `start` up to, not including, `stop`."""

    kind: str
    start: int
    stop: int


class SpanScores(NamedTuple):
    """How well spans were found; 0 where there is nothing to divide by.

    Attributes:
        precision: share of the spans found that are right: same words, same kind.
        recall: share of the right spans that were found.
        f1: the harmonic mean of both.
        support: right spans there are.
    """

    precision: float
    recall: float
    f1: float
    support: int


def is_bio(tags: Iterable[str]) -> bool:
    """Whether these tags mark spans: each is O, B-... or I-... (or a bare B or I), and not all are O."""
    kinds = set(tags)
    return all(tag == "O" or tag in ("B", "I") or tag[:2] in ("B-", "I-") for tag in kinds) and kinds - {"O"} != set()


def keeps_bio(tags: Sequence[str]) -> bool:
    """Whether every I-X stands behind B-X or I-X, as BIO (IOB2) has it and IOB1 has not."""
    before = ["O", *tags]
    return all(tag[:1] != "I" or before[i] in ("B" + tag[1:], tag) for i, tag in enumerate(tags))


def spans(tags: Sequence[str]) -> list[Span]:
    """The spans of a sentence, by the conventions of the script conlleval.

    B-X begins a span. I-X goes on with a span of kind X, or else begins one, so that IOB1 and inconsistent output are
    read as well. A bare B or I is of kind "_".

    Args:
        tags: O, B-X or I-X for each word (Ramshaw, Marcus 1995, and its variants).
    """
    found: list[Span] = []
    kind, start = None, 0
    for position, tag in enumerate([*tags, "O"]):
        letter, _, rest = tag.partition("-")
        now = None if letter == "O" else rest or "_"
        if kind is not None and (letter == "B" or now != kind):
            found.append(Span(kind, start, position))
            kind = None
        if kind is None and now is not None:
            kind, start = now, position
    return found


def span_scores(right: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]) -> dict[str, SpanScores]:
    """Scores by kind of span; under "" those over all kinds together (micro average, what CoNLL ranks by).

    Args:
        right: the tags of each sentence.
        predicted: as many, of the same lengths.

    Raises:
        ValueError: sentences of different lengths.
    """
    there: Counter[str] = Counter()
    found: Counter[str] = Counter()
    both: Counter[str] = Counter()
    for one, other in zip(right, predicted, strict=True):
        if len(one) != len(other):
            raise ValueError(f"expected as many predicted tags as right ones, got {len(other)} for {len(one)}")
        expected, got = set(spans(one)), set(spans(other))
        for counts, members in ((there, expected), (found, got), (both, expected & got)):
            counts.update(span.kind for span in members)
    scores = {"": _scores(there.total(), found.total(), both.total())}
    return scores | {kind: _scores(there[kind], found[kind], both[kind]) for kind in sorted(there | found)}


def _scores(there: int, found: int, both: int) -> SpanScores:
    precision, recall = both / max(found, 1), both / max(there, 1)
    return SpanScores(precision, recall, 2 * both / max(there + found, 1), there)
