"""Writing words of what was read: a mixture of generating from the vocabulary and copying what attention looks at.

The pointer-generator of See, Liu, Manning (2017, arXiv:1704.04368):

    p_gen = sigmoid(w_c . c_t + w_s . s_t + w_x . x_t + b)
    P(w)  = p_gen P_vocab(w) + (1 - p_gen) sum of a_i over the places i of the source that hold w

with c_t the attention's context, s_t the state that attends, x_t the decoder's input, a_i the attention's weights. A
word that the vocabulary lacks has an id behind its V, of its own in each source.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def mixed(logits: Tensor, gates: Tensor, attention: Tensor, places: Tensor) -> Tensor:
    """P of every word.

    Args:
        logits: `[R, V]` scores of the vocabulary.
        gates: `[R]`, p_gen before the sigmoid.
        attention: `[R, S]` weights, zero where a source has no step.
        places: `[R, S]` ids of the words of the source, from V on those that the vocabulary lacks.

    Returns:
        Probabilities `[R, V + X]`, X such words being in the longest list.
    """
    more = max(0, int(places.max()) + 1 - logits.shape[1]) if places.numel() else 0
    generated = F.pad(logits.softmax(-1) * torch.sigmoid(gates).unsqueeze(1), (0, more))
    copied = attention.to(generated.dtype) * torch.sigmoid(-gates).unsqueeze(1)
    return generated.scatter_add(1, places, copied)


def repeated(attention: Tensor) -> Tensor:
    """The coverage loss of each step (equation 12): the sum over places of min(a_i, c_i), c the weights of all steps
    before; of attention `[T, N, S]`, `[T, N]`."""
    covered = attention.cumsum(0) - attention
    return torch.minimum(attention, covered).sum(-1)
