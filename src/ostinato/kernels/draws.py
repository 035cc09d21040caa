"""Draws by weights: which token comes next."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ostinato.native import library as native_library


def draw(weights: Tensor, shares: Sequence[float]) -> list[int]:
    """Of each row of weights, `[N, V]`, none below 0, the first place up to which they add up to more than a share.

    A row's own number, from 0 to 1, says which share: where it is uniform, a place is drawn as often as its weight is
    large. What comes of a row does not depend on the others.
    """
    library = native_library.load() if weights.is_cpu and weights.dtype == torch.float32 else ""
    if isinstance(library, str):
        return _by_torch(weights, shares)
    rows, V = weights.contiguous(), weights.shape[-1]
    found = [library.draw(rows.data_ptr() + 4 * V * n, V, share) for n, share in enumerate(shares)]
    return [int(rows[n].argmax()) if place is None else place for n, place in enumerate(found)]


def _by_torch(weights: Tensor, shares: Sequence[float]) -> list[int]:
    # torch.multinomial draws a number for each weight: of 10,000 that takes longer than a model that makes them
    below = weights.cumsum(-1, dtype=torch.float64)
    points = torch.tensor(shares, dtype=torch.float64, device=weights.device).unsqueeze(-1) * below[:, -1:]
    found: list[int] = torch.searchsorted(below, points, right=True).flatten().tolist()
    beyond = weights.shape[-1]  # where rounding made a point the sum itself
    return [int(weights[n].argmax()) if place == beyond else place for n, place in enumerate(found)]
