"""What is forecast, from what, and how sure it is said to be."""

from typing import Literal

Head = Literal["point", "quantile", "gaussian", "student"]

#: Quantiles that the quantile head learns: the median, and the intervals of 50, 80 and 95 %.
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
