"""Dropout with masks that are shared: over time, by all places of a word, or on the weights instead of the outputs."""

import torch
from torch import Tensor
from torch.nn import functional as F


def dropout(x: Tensor, rate: float, training: bool, *, locked: bool = False) -> Tensor:
    """Set a share of the features to zero and scale the others by 1/(1 - rate).

    Args:
        x: `[T, N, D]`.
        rate: the share.
        training: whether to do anything.
        locked: one mask `[N, D]` for all steps of a sequence (variational dropout; Gal, Ghahramani 2016,
            arXiv:1512.05287) instead of one a step.
    """
    if not locked or not training or not rate:
        return F.dropout(x, rate, training)
    return x * F.dropout(torch.ones_like(x[0]), rate)


def word_mask(vocab_size: int, rate: float, like: Tensor) -> Tensor:
    """`[V]`, 0 for the words that are left out and 1/(1 - rate) for the others.

    Multiplied with the embeddings of a batch, `mask[ids]`, it does what it would do on the rows of the embedding: a
    word is there at all of its places or at none (Gal, Ghahramani 2016).

    Args:
        vocab_size: V.
        rate: share of the words.
        like: a tensor of the dtype and device wanted.
    """
    return F.dropout(like.new_ones(vocab_size), rate)
