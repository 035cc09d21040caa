"""A model without us: which kind it is, what it reads and answers, its weights by name, and random inputs of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]

#: The tokens of one text, and the score that a search ranks it by.
Written: TypeAlias = tuple[list[int], float]

#: Tokens that are written of an input to compare them, at most, and the widths of the search.
_TOKENS, _WIDTHS = 12, (1, 3)

#: Of how many random inputs.
_WRITTEN = 5


@dataclass(frozen=True)
class Described:
    """What formats of whole models write.

    Attributes:
        kind: one of `runtime.whole.KINDS`.
        about: what is read and answered: vocabulary, labels, scales; of JSON's types.
        example: random inputs, by the names of the arguments of the model's `forward`: of N sequences of T steps.
        outputs: what the model computes of tensors by these names.
        arrays: what belongs to the model besides its weights.
        writes: of a model that writes: the texts that the run writes of inputs, `target_inputs` aside, by a beam of a
            width, of so many tokens at most.
    """

    kind: str
    about: Mapping[str, Any]
    example: Callable[[np.random.Generator, int, int], Arrays]
    outputs: Callable[[nn.Module, Mapping[str, Tensor]], list[Tensor]]
    arrays: Arrays = field(default_factory=dict)
    writes: Callable[[nn.Module, Mapping[str, Tensor], int, int], list[Written]] | None = None


def largest_difference(
    model: nn.Module,
    described: Described,
    other: Callable[[Arrays], list[Any]],
    checks: int,
    seed: int = 1,
) -> float:
    """How far another program is from the model on random inputs: absolute of numbers up to 1, else relative.

    Args:
        model: in eval mode.
        described: it.
        other: gives the same outputs of the inputs as arrays.
        checks: how many inputs of random sizes.
        seed: of them.
    """
    draw, most = np.random.default_rng(seed), 0.0
    for _ in range(checks):
        inputs = described.example(draw, int(draw.integers(1, 6)), int(draw.integers(1, 24)))
        with torch.no_grad():
            wanted = described.outputs(model, {name: torch.from_numpy(array) for name, array in inputs.items()})
        for one, two in zip(wanted, other(inputs), strict=True):
            expected, found = np.asarray(one, np.float64), np.asarray(two, np.float64)
            if expected.shape != found.shape:
                raise ValueError(f"expected an output of shape {expected.shape}, got {found.shape}")
            if expected.size:
                apart = np.abs(expected - found) / np.maximum(np.abs(expected), 1)
                most = max(most, float(np.where(expected == found, 0, apart).max()))
    return most


def largest_difference_of_texts(
    model: nn.Module, described: Described, other: Callable[..., list[Written]], seed: int = 2
) -> float:
    """How far what another program writes is from what the model writes: of the best text's score, greedily and by a
    beam, as two texts may be equally good.

    Args:
        model: in eval mode.
        described: it.
        other: the texts of inputs as arrays, with `width=` and `limit=`.
        seed: of the inputs.
    """
    assert described.writes is not None
    draw, most = np.random.default_rng(seed), 0.0
    for width in _WIDTHS:
        for _ in range(_WRITTEN):
            inputs = described.example(draw, int(draw.integers(1, 4)), int(draw.integers(1, 12)))
            inputs.pop("target_inputs")
            tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
            wanted = described.writes(model, tensors, width, _TOKENS)
            found = other(**inputs, width=width, limit=_TOKENS)
            for (_, expected), (_, score) in zip(wanted, found, strict=True):
                most = max(most, abs(score - expected) / max(abs(expected), 1.0))
    return most


def flat(found: Any) -> Iterator[Any]:
    """Arrays, or tensors, within tuples and lists, one after the other."""
    if isinstance(found, tuple | list):
        for one in found:
            yield from flat(one)
    else:
        yield found


def lengths(draw: np.random.Generator, N: int, T: int) -> npt.NDArray[np.int64]:
    """Of N sequences, from 0 to T, the first the longest."""
    found = draw.integers(0, T + 1, N)
    found[:1] = T
    return found.astype(np.int64)
