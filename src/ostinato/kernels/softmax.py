"""The softmax of an output layer in place, and what its loss and gradients want beside it."""

from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.native import library as native_library
from ostinato.native.library import Softmax

_NATIVE = (torch.float32, torch.bfloat16)
#: Rows at a time: those of narrow scores are widened, and one chain of sums over all rows would lose digits.
_ROWS = 64


class Exponentials(NamedTuple):
    """Of each of M rows of scores, in float32 or wider.

    Attributes:
        largest: its largest score, `[M]`.
        sums: sum over its V scores of e^(score - largest), `[M]`.
        total: sum over the rows of weight * probability, `[V]`; None where there are no weights.
    """

    largest: Tensor
    sums: Tensor
    total: Tensor | None


def exponentials(scores: Tensor, weights: Tensor | None = None) -> Exponentials:
    """Turn scores into e^(score - the row's largest): their softmax, once divided by `sums`.

    Args:
        scores: `[M, V]`, overwritten.
        weights: `[M]` of the rows, where `total` is wanted.

    Raises:
        ValueError: not a weight for each row.
    """
    if weights is not None and weights.shape != scores.shape[:1]:
        raise ValueError(f"weights: expected {tuple(scores.shape[:1])}, one a row, got {tuple(weights.shape)}")
    dtype = torch.promote_types(scores.dtype, torch.float32)
    largest, sums = (torch.empty(len(scores), dtype=dtype, device=scores.device) for _ in range(2))
    if weights is not None:
        weights = weights.to(dtype).contiguous().resolve_neg()
    library = native_library.load() if _takes(scores) else ""
    threads = 1 if isinstance(library, str) else torch.get_num_threads()
    # each thread adds up its own rows
    totals = None if weights is None else torch.empty(threads, scores.shape[1], dtype=dtype, device=scores.device)
    made = Exponentials(largest, sums, None if totals is None else totals[0])
    if isinstance(library, str):
        _by_torch(scores, weights, made)
        return made
    run = Softmax(isa=library.isas[library.isa], M=len(scores), V=scores.shape[1], threads=threads)
    run.bfloat16 = scores.dtype == torch.bfloat16
    run.scores, run.largest, run.sum = scores.data_ptr(), largest.data_ptr(), sums.data_ptr()
    if weights is not None and totals is not None:
        run.weights, run.total = weights.data_ptr(), totals.data_ptr()
    library.exponentials(run)
    return made


def _takes(scores: Tensor) -> bool:
    """Whether the native library can: torch's operations do the rest, and what only looks like a tensor."""
    plain = type(scores) is Tensor and not torch.compiler.is_compiling()
    return plain and scores.is_cpu and scores.dtype in _NATIVE and scores.is_contiguous() and not scores.is_neg()


def _by_torch(scores: Tensor, weights: Tensor | None, made: Exponentials) -> None:
    if made.total is not None:
        made.total.zero_()
    for begin in range(0, len(scores), _ROWS):
        part = slice(begin, begin + _ROWS)
        some = scores[part]
        wide = some.to(made.sums.dtype)
        made.largest[part] = wide.amax(1)
        torch.exp(wide.sub(made.largest[part].unsqueeze(1)), out=wide)
        made.sums[part] = wide.sum(1)
        if wide is not some:
            some.copy_(wide)
        if weights is not None and made.total is not None:
            made.total.add_(torch.mv(wide.T, weights[part] / made.sums[part]))
