"""Labels that a model can say, and those it never could."""

from collections.abc import Mapping, Sequence

from ostinato.core.errors import DataError

#: Labels that a message names, at most.
_SHOWN = 12


def require_known(kind: str, places: Mapping[str, str], known: Sequence[str]) -> None:
    """Check that every label of data to validate or to evaluate on is one that was trained on.

    A model can never say another one: it would count as wrong each time. More often than not it is a misspelling, or a
    column that was mistaken for that of the labels.

    Args:
        kind: what the task calls them: "label", "tag".
        places: of each label's first example, as messages name it: "names.txt: line 7".
        known: the labels trained on.

    Raises:
        DataError: there is another; names the first, where it is, and what to do.
    """
    trained = set(known)
    unknown = [label for label in places if label not in trained]
    if not unknown:
        return
    shown = ", ".join(map(repr, known[:_SHOWN])) + (", ..." if len(known) > _SHOWN else "")
    more = f" ({len(unknown)} such {kind}s in all)" if len(unknown) > 1 else ""
    raise DataError(
        f"{places[unknown[0]]}: the {kind} {unknown[0]!r} does not occur in the training data, whose {kind}s are "
        f"{shown}{more}; correct it, leave it out, or add examples of it to the training data"
    )
