"""Units that stand out where somebody points: those that behave otherwise inside of some steps than outside."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ostinato.core.errors import ConfigError
from ostinato.inspection.arrays import Array
from ostinato.inspection.units import auc


@dataclass(frozen=True)
class StandsOut:
    """A unit, and how surely its value tells whether a step is one of those chosen.

    Attributes:
        series: which of the arrays.
        unit: index.
        auc: the chance that it is higher at a chosen step than at another, from 0 to 1; 0.5 knows nothing.
        inside: its mean over the chosen steps.
        outside: its mean over the others.
    """

    series: int
    unit: int
    auc: float
    inside: float
    outside: float


def standing_out(series: Sequence[Array], in_span: Array, top: int = 20) -> list[StandsOut]:
    """The units of several arrays that tell steps of a span from the others best, the best first.

    Where several tell them apart alike, as all do that are always higher there, the one comes first whose means lie
    further apart, in standard deviations of its own.

    Args:
        series: `[T, H]` each; H may differ.
        in_span: `[T]` bool, the steps that are to be told from the others.
        top: how many units.

    Raises:
        ConfigError: the span has all steps, or none.
    """
    if in_span.all() or not in_span.any():
        raise ConfigError(f"expected some of the {len(in_span)} steps, and not all of them")
    found, ranks = list[StandsOut](), list[tuple[float, float]]()
    for number, values in enumerate(series):
        exact = values.astype(np.float64)
        scores, inside, outside = auc(exact, in_span), exact[in_span].mean(0), exact[~in_span].mean(0)
        spread = exact.std(0)
        apart = np.divide(np.abs(inside - outside), spread, out=np.zeros_like(spread), where=spread > 0)
        for unit, (score, high, low, distance) in enumerate(zip(scores, inside, outside, apart, strict=True)):
            found.append(StandsOut(number, unit, float(score), float(high), float(low)))
            ranks.append((-abs(float(score) - 0.5), -float(distance)))
    return [found[place] for place in sorted(range(len(found)), key=ranks.__getitem__)[:top]]
