"""Figures as people read them."""

import pytest

from ostinato.core.figures import shown


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.34567, "12.3457"), (0.5, "0.5000"), (0.0, "0.0000"), (1.23456e-6, "1.235e-06"), (-0.00123456, "-0.001235"),
     (1.5e300, "1.5e+300")],
)  # fmt: skip
def test_a_small_figure_keeps_its_digits(value, text):
    assert shown(value) == text


def test_decimals_may_be_fewer():
    assert (shown(78.123, 2), shown(0.123456, 2), shown(1.23456e-6, 3)) == ("78.12", "0.12", "1.23e-06")
