"""Holding out examples to validate on, by the seed."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from ostinato.core.errors import DataError

#: Share of the examples held out where no validation data is given.
HELD_OUT = 0.1

#: Runs of neighbours that the examples (of a class) are cut into, of which some are held out.
RUNS = 200


def held_out(
    examples: int, seed: int, *, share: float = HELD_OUT, strata: Sequence[Hashable] | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Numbers of the examples to train on, and of those held out, a random part; the same for the same seed.

    Many examples go in runs of neighbours, few one by one: rows that stand together often belong together, as the
    reviews of one film or the sentences of one article, and a model would be flattered by being measured on the
    siblings of what it learned. At least one example is held out, and one stays.

    With `strata`, the class of each, the same share of every class is held out: rounded to whole examples, with those
    left over going to the classes that rounding treated worst. A class's last example stays.

    Raises:
        DataError: fewer than two examples, or classes of one example only.
    """
    if examples < 2:
        raise DataError(f"expected at least two examples, one of them to validate on, got {examples}; give --valid")
    draw = np.random.default_rng([seed, 0x5EED])
    wanted = min(max(1, round(share * examples)), examples - 1)
    if strata is None:
        out = _drawn(draw, range(examples), wanted)
    else:
        classes: dict[Hashable, list[int]] = {}
        for row, stratum in enumerate(strata):
            classes.setdefault(stratum, []).append(row)
        groups = list(classes.values())
        sizes = _apportion([share * len(group) for group in groups], [len(group) - 1 for group in groups], wanted)
        drawn = [_drawn(draw, group, size) for group, size in zip(groups, sizes, strict=True)]
        out = np.concatenate(drawn).astype(np.int64)
        if not len(out):
            raise DataError("expected a second example of at least one class, to validate on; give --valid")
    mask = np.zeros(examples, bool)
    mask[out] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def evenly(count: int, most: int) -> npt.NDArray[np.int64]:
    """Numbers of at most so many of `count` examples, evenly spaced, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.int64))


def _drawn(draw: np.random.Generator, rows: Sequence[int], wanted: int) -> npt.NDArray[np.int64]:
    """So many of the rows, in runs of neighbours."""
    run = max(1, len(rows) // RUNS)
    runs = [rows[start : start + run] for start in range(0, len(rows), run)]
    mixed = [row for index in draw.permutation(len(runs)) for row in runs[index]]
    return np.array(mixed[:wanted], np.int64)


def _apportion(quotas: list[float], most: list[int], total: int) -> list[int]:
    """Whole numbers near the quotas that sum to total where `most` allows: the largest remainders are rounded up."""
    sizes = [min(int(quota), limit) for quota, limit in zip(quotas, most, strict=True)]
    by_remainder = sorted(range(len(quotas)), key=lambda index: sizes[index] - quotas[index])
    for index in by_remainder:
        if sum(sizes) < total and sizes[index] < most[index]:
            sizes[index] += 1
    return sizes
