"""Spans of tagged words, such as names, and how many of them were found: the measure of CoNLL's shared tasks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ostinato.core.span_tags import BIO, Scheme


class Span(NamedTuple):
    """Consecutive words of one kind: those from `start` up to, not including, `stop`."""

    kind: str
    start: int
    stop: int


class Scores(NamedTuple):
    """How well spans (or words of a tag) were found: the share of what was found that is right (same words, same kind),
    the share of what is right that was found, their harmonic mean, and how many are right; 0 where there is nothing to
    divide by."""

    precision: float
    recall: float
    f1: float
    support: int


def spans(tags: Sequence[str], scheme: Scheme = BIO) -> list[Span]:
    """The spans of a sentence, by the conventions of the script conlleval.

    B-X and S-X begin a span, E-X and S-X are its last word. I-X and E-X go on with a span of kind X, or else begin one,
    so that IOB1 and inconsistent output are read as well. A bare letter is of kind "_".
    """
    found: list[Span] = []
    kind, start, before = None, 0, "O"
    for position, tag in enumerate([*tags, "O"]):
        letter, now = scheme.part(tag)
        if kind is not None and (letter in "BS" or before in "ES" or now != kind):
            found.append(Span(kind, start, position))
            kind = None
        if kind is None and now is not None:
            kind, start = now, position
        before = letter
    return found


def span_scores(
    right: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]], scheme: Scheme = BIO
) -> dict[str, Scores]:
    """Scores by kind of span; under "" those over all kinds together (micro average, what CoNLL ranks by).

    Raises:
        ValueError: sentences of different lengths.
    """
    there: Counter[str] = Counter()
    found: Counter[str] = Counter()
    both: Counter[str] = Counter()
    for one, other in zip(right, predicted, strict=True):
        if len(one) != len(other):
            raise ValueError(f"expected as many predicted tags as right ones, got {len(other)} for {len(one)}")
        expected, got = set(spans(one, scheme)), set(spans(other, scheme))
        for counts, members in ((there, expected), (found, got), (both, expected & got)):
            counts.update(span.kind for span in members)
    scores = {"": _scores(there.total(), found.total(), both.total())}
    return scores | {kind: _scores(there[kind], found[kind], both[kind]) for kind in sorted(there | found)}


def tag_scores(right: Iterable[str], predicted: Iterable[str]) -> dict[str, Scores]:
    """Scores by tag, each word by itself."""
    pairs = list(zip(right, predicted, strict=True))
    there, found = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    both = Counter(one for one, other in pairs if one == other)
    return {tag: _scores(there[tag], found[tag], both[tag]) for tag in sorted(there | found)}


def _scores(there: int, found: int, both: int) -> Scores:
    precision, recall = both / max(found, 1), both / max(there, 1)
    return Scores(precision, recall, 2 * both / max(there + found, 1), there)
