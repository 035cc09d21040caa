"""Figures as people read them, and as files keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt  # help and --version wait for no array


def shown(value: float, decimals: int = 4) -> str:
    """A number with some decimals; a small one, of which they would say less, or a huge one, with significant digits.

        >>> shown(12.3456789), shown(0.25), shown(1.23456e-6), shown(0.0)
        ('12.3457', '0.2500', '1.235e-06', '0.0000')

    Args:
        value: to show.
        decimals: behind the point, or significant digits where that is more.
    """
    plain = value == 0 or 0.1 <= abs(value) < 1e15
    return f"{value:.{decimals}f}" if plain else f"{value:.{decimals}g}"


def shortest(values: npt.NDArray[np.float32]) -> list[float]:
    """Each number as the one of the fewest digits that float32 reads back the same: 0.1, not 0.10000000149011612.

    Args:
        values: `[N]`.
    """
    return [float(str(value)) for value in values]
