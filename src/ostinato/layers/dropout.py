"""Dropout: a mask a step, one for all steps, one a word, or one on the weights."""

import torch
from torch import Tensor

from ostinato import kernels
from ostinato.core.errors import ConfigError

#: Values of the 16 random bits that decide on an element.
_VALUES = 1 << 16


def dropout(x: Tensor, rate: float, training: bool = True, *, locked: bool = False) -> Tensor:
    """Set a share of the elements to zero and scale the others by 1/(1 - rate).

    As `torch.nn.functional.dropout`, whose draws take as long as a tenth of a training step.

    Args:
        x: `[T, N, D]`; any shape where not locked.
        rate: the share, to the nearest 1/65536.
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

    Torch's own `bernoulli_` takes some 11 ns an element, this 2 ns: an integer of 64 random bits decides on four.

    Args:
        like: a tensor of the shape, dtype and device wanted.
        rate: the share, to the nearest 1/65536.

    Raises:
        ConfigError: a rate outside 0 to 1.
    """
    check_rates(rate=rate)
    dropped = round(rate * _VALUES)
    if dropped == _VALUES:
        return torch.zeros_like(like)
    if kernels.is_transformed() or kernels.is_captured():
        # compilers do not take 64 bits for four times 16, and each of vmap's rows has a draw of its own where a tensor
        # is made, not where one is filled
        drawn = torch.rand_like(like, dtype=torch.float32) >= dropped / _VALUES
        return drawn.to(like.dtype).mul(_VALUES / (_VALUES - dropped))
    count = like.numel()
    random = torch.empty(-(-count // 4), dtype=torch.int64, device=like.device).random_(-(1 << 63), None)
    kept = random.view(torch.int16)[:count].view(like.shape) >= dropped - _VALUES // 2
    return kept.to(like.dtype).mul_(_VALUES / (_VALUES - dropped))


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
