"""How well labels are told."""

from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


def confusion(expected: npt.ArrayLike, found: npt.ArrayLike, classes: int) -> Counts:
    """`[C, C]` examples by class, rows, and by the class they were taken for, columns; of both come `[N]` numbers."""
    pairs = np.asarray(expected, np.int64) * classes + np.asarray(found, np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def classification_figures(counts: Counts) -> dict[str, Any]:
    """The figures of `ostinato evaluate`, from a `confusion` matrix.

    A class's F1 is 2 hits / (examples + times it was said); macro F1 is the mean over the classes that occur or were
    said (as scikit-learn has it).

    Returns:
        examples, accuracy, macro_f1; distinct, the classes that were said at all; constant_accuracy, that of the one
        class which occurs most often, said of all.
    """
    hits, either = np.diag(counts), counts.sum(0) + counts.sum(1)
    present = either > 0
    examples = int(counts.sum())
    return {
        "examples": examples,
        "accuracy": float(hits.sum() / max(examples, 1)),
        "macro_f1": float((2 * hits[present] / either[present]).mean()) if examples else 0.0,
        "distinct": int((counts.sum(0) > 0).sum()),
        "constant_accuracy": float(counts.sum(1).max(initial=0) / max(examples, 1)),
    }
