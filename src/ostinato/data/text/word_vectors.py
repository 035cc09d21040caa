"""Vectors of words from the texts themselves: which words stand near each other, and nothing else.

Positive pointwise mutual information and a truncated singular value decomposition (Levy, Goldberg 2014, "Neural word
embedding as implicit matrix factorization"; the settings are those of Levy, Goldberg, Dagan 2015): what word2vec
approximates step by step, in seconds and the same each time.
"""

import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

#: Steps to each side that count as near; a neighbour d steps away counts 1/d.
WINDOW = 5
#: Tokens that are read at most: more change little, and the counts of pairs would fill the memory.
MOST_TOKENS = 10_000_000
#: Contexts' frequencies are raised to this power, so that rare ones do not stand out.
_SMOOTHING = 0.75
#: Columns beside those wanted, and passes, of the randomised decomposition (Halko et al. 2011, algorithm 4.4).
_MORE, _PASSES = 16, 3

Ids = npt.NDArray[Any]


def word_vectors(
    texts: Sequence[Ids], vocab_size: int, width: int, progress: Callable[[int, int], None] | None = None
) -> Tensor:
    """A vector for each word that has neighbours, near that of words with the same neighbours.

    They are `[V, E]`, of mean square 1 over the words that stand near another within the first `MOST_TOKENS` tokens;
    zeros for all others. Where E, the width, is above V, the columns behind V are zero.
    """
    steps = iter(range(1, WINDOW + 2))

    def step_done() -> None:
        if progress is not None:
            progress(next(steps), WINDOW + 1)

    rows, columns, counts = _pairs(texts, vocab_size, step_done)
    matrix = _mutual_information(rows, columns, counts, vocab_size)
    left, values = _decomposed(matrix, min(width, vocab_size))
    step_done()
    used = torch.from_numpy(np.bincount(rows, minlength=vocab_size) > 0)
    vectors = torch.zeros(vocab_size, width)
    vectors[:, : len(values)] = left * values.sqrt() * used.unsqueeze(1)
    return vectors / vectors[used].square().mean().sqrt().clamp(min=1e-12) if len(rows) else vectors


def _pairs(
    texts: Sequence[Ids], vocab_size: int, step_done: Callable[[], None]
) -> tuple[Ids, Ids, npt.NDArray[np.float64]]:
    """Pairs of words that stand near each other, in both orders, and how often, weighed by nearness."""
    ids, text = _joined(texts)
    keys, weights = [], []
    for distance in range(1, WINDOW + 1):
        together = text[distance:] == text[:-distance]
        near = ids[:-distance][together] * vocab_size + ids[distance:][together]
        found, counts = np.unique(near, return_counts=True)
        keys += [found, found % vocab_size * vocab_size + found // vocab_size]
        weights += [counts / distance] * 2
        step_done()
    unique, place = np.unique(np.concatenate(keys), return_inverse=True)
    summed = np.bincount(place, np.concatenate(weights), len(unique)).astype(np.float64)
    return unique // vocab_size, unique % vocab_size, summed


def _joined(texts: Sequence[Ids]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All ids in a row, and the number of the text that each is from."""
    read = itertools.accumulate(map(len, texts), initial=0)
    kept = [np.asarray(ids, np.int64) for ids, before in zip(texts, read, strict=False) if before < MOST_TOKENS]
    return np.concatenate(kept), np.repeat(np.arange(len(kept)), [len(ids) for ids in kept])


def _mutual_information(rows: Ids, columns: Ids, counts: npt.NDArray[np.float64], size: int) -> Tensor:
    """max(0, log p(w, c) / (p(w) p(c))), sparse `[V, V]`."""
    words = np.bincount(rows, counts, size)
    contexts = words**_SMOOTHING / max((words**_SMOOTHING).sum(), 1e-12)
    information: npt.NDArray[np.float64] = np.log(counts / (words[rows] * contexts[columns]))
    kept = information > 0
    places = torch.from_numpy(np.stack([rows[kept], columns[kept]]))
    values = torch.from_numpy(information[kept]).float()
    return torch.sparse_coo_tensor(places, values, (size, size), is_coalesced=True, check_invariants=False)


def _fast(matrix: Tensor) -> Tensor:
    """The same in compressed rows, whose products are several times as fast; torch warns that they are new."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return matrix.to_sparse_csr()


def _decomposed(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The largest singular values `[rank]` and their left vectors `[V, rank]`, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        left, values, _ = torch.svd_lowrank(_fast(matrix), min(rank + _MORE, len(matrix)), _PASSES)
    return left[:, :rank], values[:rank]
