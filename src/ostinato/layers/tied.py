"""One matrix as embedding and output layer (Press, Wolf 2017, arXiv:1608.05859), with one gradient."""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato import kernels
from ostinato.core.torch_private import holders, is_view


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
    if kernels.is_transformed():
        return F.embedding(ids, weight), weight
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
        shared = kernels.is_batched(upstream)  # whose memory nobody can ask after
        alone = upstream[1] is None or (not shared and holders(upstream[1]) == _unheld() is not None)
        embedded, output = upstream
        if embedded is None:
            return None, output
        ids, rows = ctx.saved_tensors[0].flatten(), embedded.reshape(-1, embedded.shape[-1])
        if output is None:
            output = rows.new_zeros(ctx.vocabulary, rows.shape[1])
        if torch.is_grad_enabled() or not alone or not _is_whole(output):
            return None, output.index_add(0, ids, rows)
        return None, output.index_add_(0, ids, rows)


def _is_whole(gradient: Tensor) -> bool:
    return not is_view(gradient) and gradient.is_contiguous() and not gradient.requires_grad


@cache
def _unheld() -> tuple[int, int, int] | None:
    """`holders` of a gradient that only autograd has, asked by a `backward` with `*upstream`.

    They are those of the call itself, which differ from one Python to the next.
    """
    found = []

    class Asks(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
            (x,) = arguments
            return x * 2, x.view_as(x)

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            found.append(holders(upstream[1]))
            return upstream[1]

    with torch.enable_grad():
        first, second = Asks.apply(torch.ones(1, requires_grad=True))  # type: ignore[no-untyped-call]
        torch.autograd.backward([(first.tanh() + second.tanh()).sum()])
    return found[0]
