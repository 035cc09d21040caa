"""How well labels are told."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ostinato.training import Guess

Counts = npt.NDArray[np.int64]

#: A loss below this share of what labels' shares alone would have is no chance.
LOSS_FOUND = 0.97


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


def commonest_label(train: Counts, valid: Counts, names: Sequence[str]) -> Guess:
    """The label that most examples trained on have, said of all.

    A model that tells rare labels apart may be right less often than that. Its macro F1 shows that it looks, where
    labels drawn by how often they occur would have one of about 1 / classes; or its loss, beside that of their shares.

    Args:
        train: `[N]` labels of the training data, at least one.
        valid: `[N]` of what is validated on, at least one.
        names: of the labels.
    """
    shares, examples = np.bincount(train) / len(train), len(valid)
    label, known = int(shares.argmax()), valid[valid < len(shares)]
    right = float((valid == label).mean())
    return Guess(
        "accuracy",
        right,
        f"always {names[label]!r}, the commonest label",
        higher=True,
        spread=(right * (1 - right) / examples) ** 0.5,
        above={"macro_f1": 1 / len(np.unique(train)) + examples**-0.5},
        below={"loss": LOSS_FOUND * float(-np.log(np.maximum(shares[known], 1e-9)).mean())} if len(known) else {},
    )
