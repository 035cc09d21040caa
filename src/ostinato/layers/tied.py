"""One matrix as embedding and output layer (Press, Wolf 2017, arXiv:1608.05859), with one gradient."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def tied_embedding(ids: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Look tokens up, and pass the matrix on to the output layer.

    Equal to `F.embedding(ids, weight), weight`. There autograd makes a gradient `[V, E]` of zeros for a few hundred
    rows and adds it to the output layer's; here the rows are added where they belong.

    Args:
        ids: `[T, N]` token ids.
        weight: `[V, E]`.

    Returns:
        The embeddings `[T, N, E]`, and the matrix for the output layer.
    """
    found: tuple[Tensor, Tensor] = _Tied.apply(ids, weight)  # type: ignore[no-untyped-call]
    return found


class _Tied(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        ids, weight = arguments
        ctx.save_for_backward(ids)
        ctx.set_materialize_grads(False)
        ctx.vocabulary = len(weight)
        return F.embedding(ids, weight), weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[None, Tensor | None]:
        embedded, output = upstream
        if embedded is None:
            return None, output
        ids, rows = ctx.saved_tensors[0].flatten(), embedded.flatten(0, -2)
        if output is None:
            output = rows.new_zeros(ctx.vocabulary, rows.shape[1])
        if torch.is_grad_enabled() or not _is_ours(output):
            return None, output.index_add(0, ids, rows)
        return None, output.index_add_(0, ids, rows)


def _is_ours(gradient: Tensor) -> bool:
    """Whether nobody else holds a gradient, so that it may be changed: the rule by which torch keeps one as `.grad`."""
    alone: bool = gradient._use_count() == 1  # type: ignore[attr-defined]
    return alone and gradient._base is None and gradient.is_contiguous() and not gradient.requires_grad
