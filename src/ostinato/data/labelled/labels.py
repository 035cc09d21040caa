"""Labels that a model can say, those it never could, and those that look like none."""

import warnings
from collections.abc import Mapping, Sequence

from ostinato.core.errors import DataError
from ostinato.data.tables.numbers import is_number
from ostinato.data.tables.spelling import spelt_as

#: Labels that a message names, at most.
_SHOWN = 12

#: Different numbers from which on labels may be measurements.
_MANY = 20

#: Examples a label has on average, at least, where labels are kinds.
_EACH = 10


def listed_labels(labels: Sequence[str]) -> str:
    """Labels as a message lists them: the first ones only, where there are many."""
    return ", ".join(map(repr, labels[:_SHOWN])) + (", ..." if len(labels) > _SHOWN else "")


def unknown_labels(kind: str, counts: Mapping[str, int], places: Mapping[str, str], known: Sequence[str]) -> list[str]:
    """Labels, in data to validate or to evaluate on, that training never saw, in the order in which they come up.

    Args:
        kind: what the task calls them: "label", "tag".
        counts: examples by label.
        places: of each label's first example, as messages name it: "names.txt: line 7".
        known: the labels trained on.

    Raises:
        DataError: not one label is known, which tells of a column that was mistaken for that of the labels.
    """
    trained = set(known)
    unknown = [label for label in counts if label not in trained]
    if unknown and len(unknown) == len(counts):
        raise DataError(
            f"{_never_seen(kind, unknown[0], places, known)}; nor does any other {kind} of this data: name the column "
            f"of the {kind}s, or give data with some that were trained on"
        )
    return unknown


def tell_unknown(kind: str, counts: Mapping[str, int], places: Mapping[str, str], known: Sequence[str]) -> list[str]:
    """The same, with a warning that says how many examples they are.

    A model can never say such a label: each of its examples counts as wrong. That is a fair figure of published data
    whose test part has a rare label of its own; or it is a misspelling.
    """
    unknown = unknown_labels(kind, counts, places, known)
    if unknown:
        missed, total = sum(counts[label] for label in unknown), sum(counts.values())
        such = f", with {len(unknown) - 1} more such {kind}s: {listed_labels(unknown[1:])}" if len(unknown) > 1 else ""
        warnings.warn(
            f"{_never_seen(kind, unknown[0], places, known)}: the model cannot say it, so that it counts as wrong "
            f"({missed:,} of {total:,} do{such})",
            stacklevel=3,
        )
    return unknown


def require_known(kind: str, counts: Mapping[str, int], places: Mapping[str, str], known: Sequence[str]) -> None:
    """Check that labels to train on are all those of the run that is begun with.

    Raises:
        DataError: one is not; names where. The arguments are those of `unknown_labels`.
    """
    spell = spelt_as(known)
    trained = set(known)
    if unknown := [label for label in counts if spell(label) not in trained]:
        raise DataError(
            f"{_never_seen(kind, unknown[0], places, known)}: the run to begin with has no output for it; leave out "
            f"what has other {kind}s, or train anew without --from"
        )


def _never_seen(kind: str, label: str, places: Mapping[str, str], known: Sequence[str]) -> str:
    return (
        f"{places[label]}: the {kind} {label!r} does not occur in the training data, whose {kind}s are "
        f"{listed_labels(known)}"
    )


def tell_doubtful(name: str, kind: str, counts: Mapping[str, int]) -> None:
    """Warn of labels to train on that are hardly labels: many different numbers, or hardly two examples of one.

    Args:
        name: of the data, as messages call it.
        kind: what the task calls them: "label", "tag".
        counts: examples by label.
    """
    total = sum(counts.values())
    if len(counts) <= _MANY or total >= _EACH * len(counts):
        return
    found = f"{name}: {len(counts):,} different {kind}s in {total:,} examples, each learned as a kind of its own"
    if all(map(is_number, counts)):
        warnings.warn(
            f"{found}; they are all numbers, which looks like regression: if they are measurements, give a column of "
            f"kinds, or the numbers in ranges",
            stacklevel=3,
        )
    elif total < 2 * len(counts):
        warnings.warn(f"{found}; most occur once: is that the column of the {kind}s?", stacklevel=3)
