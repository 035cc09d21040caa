"""How well labels are told of which an example may have several."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

Marks = npt.NDArray[np.bool_]


def multi_label_figures(expected: Marks, found: Marks) -> dict[str, Any]:
    """The figures of `ostinato evaluate` where examples have several labels, by marks `[N, C]` of those that are right
    and of those that were said.

    F1 is 2 hits / (times a label is right + times it was said): of all labels together micro F1; macro F1 is the mean
    over the labels that occur or were said (as scikit-learn has both).

    Returns:
        examples; accuracy, the share of examples of which all labels are right and no other was said; macro_f1;
        micro_f1; distinct, the different sets of labels said; constant_accuracy, that of the most frequent set said of
        all.
    """
    hits, either = (expected & found).sum(0), expected.sum(0) + found.sum(0)
    present = either > 0
    examples = len(expected)
    sets = Counter(map(tuple, expected.tolist()))
    return {
        "examples": examples,
        "accuracy": float((expected == found).all(1).mean()) if examples else 0.0,
        "macro_f1": float((2 * hits[present] / either[present]).mean()) if present.any() else 0.0,
        "micro_f1": float(2 * hits.sum() / max(int(either.sum()), 1)),
        "distinct": len(set(map(tuple, found.tolist()))),
        "constant_accuracy": max(sets.values(), default=0) / max(examples, 1),
    }
