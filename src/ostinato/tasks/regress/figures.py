"""How near answers are to what was measured, and how near the training data's mean is."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ostinato.data.labelled.sequences import Scale
from ostinato.training import Guess

Values = npt.NDArray[np.float64]


def errors(expected: Values, found: Values) -> dict[str, Values]:
    """Figures of each target, `[K]`: mae, rmse, r2.

    r2 is 1 - sum (y - f)^2 / sum (y - mean y)^2; of a target that never changes 1 where all answers are exact, else 0,
    as scikit-learn has it.

    Args:
        expected: `[N, K]` y, at least one row.
        found: `[N, K]` f.
    """
    size = np.maximum(np.abs(expected).max(0), np.abs(found).max(0))
    size = np.where(size == 0, 1.0, size)  # whose squares neither overflow nor vanish
    off, around = (expected - found) / size, (expected - expected.mean(0)) / size
    squares, spread = (off**2).sum(0), (around**2).sum(0)
    share = np.divide(squares, spread, out=np.where(squares > 0, 1.0, 0.0), where=spread > 0)
    return {"mae": size * np.abs(off).mean(0), "rmse": size * np.sqrt((off**2).mean(0)), "r2": 1 - share}


def scaled_rmse(expected: Values, found: Values, scale: Scale) -> float:
    """Root of the mean squared error over all targets, in standard deviations of the training data."""
    return float(np.sqrt((((expected - found) / np.array(scale.deviation)) ** 2).mean()))


def regression_figures(expected: Values, found: Values, scale: Scale, names: Sequence[str]) -> dict[str, Any]:
    """The figures of `ostinato evaluate`: over all targets, and where there are several, of each.

    Args:
        expected: `[N, K]`.
        found: `[N, K]`.
        scale: mean and deviation of the targets in training.
        names: `[K]` of the targets.
    """
    mean = np.broadcast_to(np.array(scale.mean), expected.shape)
    own, constant = errors(expected, found), errors(expected, mean)
    each = own | {f"mean_{name}": values for name, values in constant.items()}
    figures: dict[str, Any] = {"examples": len(expected)}
    figures |= {name: float(values.mean()) for name, values in each.items()}
    figures["scaled_rmse"] = scaled_rmse(expected, found, scale)
    figures["mean_scaled_rmse"] = scaled_rmse(expected, mean, scale)
    if len(names) > 1:
        shown = ("mae", "rmse", "r2", "mean_mae", "mean_rmse")
        figures["targets"] = {
            name: {figure: float(each[figure][column]) for figure in shown} for column, name in enumerate(names)
        }
    return figures


def always_the_mean(expected: Values, scale: Scale) -> Guess:
    """The training data's mean, said of all: `expected` are `[N, K]` of what is validated on."""
    mean = np.broadcast_to(np.array(scale.mean), expected.shape)
    return Guess("scaled_rmse", scaled_rmse(expected, mean, scale), "always the mean of the training data")


def tell_no_better(figures: dict[str, Any]) -> None:
    """Warn where the training data's mean would have done as well."""
    if figures["scaled_rmse"] >= figures["mean_scaled_rmse"]:
        warnings.warn(
            f"the {figures['examples']:,} answers are no better than the training data's mean said of all (scaled "
            f"rmse {figures['scaled_rmse']:.4g}, that of the mean {figures['mean_scaled_rmse']:.4g}): the model hardly "
            "looks at what it is given, or has learned its examples by heart",
            stacklevel=3,
        )
