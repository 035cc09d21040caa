"""The loss of a sequence whose symbols nobody has laid along its steps."""

from itertools import pairwise

from torch import Tensor
from torch.nn import functional as F

#: The class of no symbol.
BLANK = 0


def ctc_loss(logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Connectionist temporal classification (Graves et al. 2006): -log of the sum of the probabilities of all paths,
    one class a step, that say the target once repeats are merged and blanks are left out; a mean over symbols.

    Args:
        logits: `[T, N, V + 1]`, class 0 of the blank.
        targets: `[N, U]` symbols from 1, padded by 0 on the right.
        lengths: `[N]` steps. A sequence of fewer than its target takes has no such path, and counts nothing.
    """
    counts = (targets != BLANK).sum(1)
    each = F.ctc_loss(
        logits.log_softmax(-1), targets, lengths, counts, blank=BLANK, reduction="none", zero_infinity=True
    )
    return each.sum() / counts.sum().clamp(min=1)


def steps_needed(symbols: list[int]) -> int:
    """Steps that it takes to say symbols: one each, and a blank between equal neighbours."""
    return len(symbols) + sum(one == other for one, other in pairwise(symbols))
