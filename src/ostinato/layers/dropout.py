"""Dropout: a mask a step, one for all steps, one a word, or one on the weights."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ostinato import kernels
from ostinato.cells import form
from ostinato.cells.contract import Cell
from ostinato.core.errors import ConfigError

#: Random bits that decide on an element, the fewest that hold a rate exactly, or to 2^-33.
_BITS = {16: torch.int16, 32: torch.int32}


def dropout(x: Tensor, rate: float, training: bool = True, *, locked: bool = False) -> Tensor:
    """Set a share of the elements to zero and scale the others by 1/(1 - rate).

    As `torch.nn.functional.dropout`, whose draws take as long as a tenth of a training step.

    Args:
        x: `[T, N, D]`; any shape where not locked.
        rate: the share.
        training: whether to do anything.
        locked: one mask `[N, D]` for all steps of a sequence (variational dropout; Gal, Ghahramani 2016,
            arXiv:1512.05287) instead of one a step.

    Raises:
        ConfigError: a rate outside 0 to 1.
    """
    if not training or not rate:
        return x
    return x * mask(x.new_empty(x.shape[1:]) if locked else x, rate)  # of no steps there is no x[0]


def mask(like: Tensor, rate: float) -> Tensor:
    """Of a tensor's shape, 0 for about a share `rate` of its elements and 1/(1 - rate) for the others.

    Torch's own `bernoulli_` takes some 11 ns an element. The native library takes 0.2 ns in two threads; elsewhere an
    integer of 64 random bits decides on two, in 2 or 3 ns, or on four where 16 bits are enough for the rate.

    Args:
        like: a tensor of the shape, dtype and device wanted.
        rate: the share.

    Raises:
        ConfigError: a rate outside 0 to 1.
    """
    check_rates(rate=rate)
    if rate >= 1 - 2**-33:
        return torch.zeros_like(like)
    if kernels.is_transformed() or kernels.is_captured():
        # compilers do not take 64 bits for several times fewer, and each of vmap's rows has a draw of its own where a
        # tensor is made, not where one is filled
        drawn = torch.rand_like(like, dtype=torch.float64) >= rate
        return drawn.to(like.dtype).mul(1 / (1 - rate))
    made = torch.empty_like(like, memory_format=torch.contiguous_format)
    if kernels.fill_mask(made, rate):
        return made
    count, bits = like.numel(), 16 if (rate * 2**16).is_integer() else 32
    random = torch.empty(-(-count * bits // 64), dtype=torch.int64, device=like.device).random_(-(1 << 63), None)
    kept = random.view(_BITS[bits])[:count].view(like.shape) >= round(rate * 2**bits) - 2 ** (bits - 1)
    return kept.to(like.dtype).mul_(1 / (1 - rate))


def word_mask(vocab_size: int, rate: float, like: Tensor) -> Tensor:
    """`[V]`, 0 for the words that are left out and 1/(1 - rate) for the others.

    Multiplied with the embeddings of a batch, `mask[ids]`, it does what it would do on the rows of the embedding: a
    word is there at all of its places or at none (Gal, Ghahramani 2016).

    Args:
        vocab_size: V.
        rate: share of the words.
        like: a tensor of the dtype and device wanted.

    Raises:
        ConfigError: a rate outside 0 to 1.
    """
    return mask(like.new_empty(vocab_size), rate)


def check_rates(**rates: float) -> None:
    """Refuse what is no probability.

    Args:
        **rates: by the names under which they were given.

    Raises:
        ConfigError: a rate outside 0 to 1.
    """
    for name, rate in rates.items():
        if isinstance(rate, bool) or not 0 <= rate <= 1:
            raise ConfigError(f"{name} is a probability: expected 0 to 1, got {rate}")


def check_fed_back(**rates: float) -> None:
    """Refuse to drop all that is fed back."""
    for label, rate in rates.items():
        if rate == 1:
            raise ConfigError(f"{label} 1 would feed nothing back; use a value below 1")


def check_products(cells: Sequence[Cell], **rates: float) -> None:
    """Refuse noise on what a cell does not feed back, or has no weights for."""
    for label, rate in rates.items():
        for cell in cells if rate else ():
            if not form.feeds_back(cell) or (label == "weight_drop" and not form.recurrent_weights(cell)):
                raise ConfigError(
                    f"{label} acts on a recurrent product, which the cell {cell.name!r} has not: leave it out"
                )
