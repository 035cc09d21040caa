"""Sequences of measured numbers as they might have been measured another time: at another pace, from another moment."""

import torch
from torch import Tensor

#: Stretches of a sequence, each of which has a pace of its own.
STRETCHES = 6

#: Standard deviation of the logarithm of a stretch's pace.
PACE = 0.3

#: Share of a sequence that is left out at most, in front and behind together.
CUT = 0.15


def warped(x: Tensor, lengths: Tensor, amount: float = 1.0) -> Tensor:
    """A window of each sequence `[T, N, D]`, of which `lengths` `[N]` steps are valid, stretched to its whole length at
    an uneven pace; the numbers between two steps are interpolated.

    So one example becomes many (window slicing and warping: Le Guennec et al. 2016, "Data augmentation for time series
    classification using convolutional neural networks"; time warping: Um et al. 2017, arXiv:1706.00527). What stands
    behind a sequence's end is not read, and not to be read.

    Args:
        x: features.
        lengths: valid steps of each.
        amount: what the deviation of the pace and the share that is cut are multiplied by; 0 changes nothing.
    """
    if not amount:
        return x
    last = (lengths - 1).clamp(min=0)
    at = _places(x.shape[0], last, amount)
    before = at.long().minimum((last - 1).clamp(min=0))
    rows = torch.arange(x.shape[1], device=x.device)
    between = (at - before).unsqueeze(-1).to(x.dtype)
    return x[before, rows].lerp(x[(before + 1).minimum(last), rows], between)


def _places(T: int, last: Tensor, amount: float) -> Tensor:
    """`[T, N]` where in each sequence, from 0 to its `last` step, a step is read from; it never goes back."""
    N, device = len(last), last.device
    pace = (PACE * amount * torch.randn(STRETCHES, N, device=device)).exp()
    pace = pace / pace.sum(0)
    reached = torch.cat([pace.new_zeros(1, N), pace.cumsum(0)])
    within = torch.arange(T, device=device).unsqueeze(1) / last.clamp(min=1) * STRETCHES
    stretch = within.long().clamp(max=STRETCHES - 1)
    way = reached.gather(0, stretch) + (within - stretch).clamp(max=1) * pace.gather(0, stretch)
    cut = min(CUT * amount, 1.0) * torch.rand(2, N, device=device).sort(0).values
    return (cut[0] + (1 - cut[1]) * way).clamp(0, 1) * last  # in front cut[0], behind the rest of cut[1]
