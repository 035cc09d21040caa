"""Figures as people read them."""


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
