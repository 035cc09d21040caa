"""A written graph in ONNX Runtime, beside the module it was written from."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ostinato.interop.outgoing.graphs import Graph

#: Sizes of free axes beside those drawn: 1 has to work, and a length of 0 or 1 comes with it.
_MOST = {"T": 24, "S": 24, "N": 5}


def largest_difference(graph: Graph, path: Path, times: int = 20, seed: int = 0) -> float:
    """How far the file's answers are from the module's at most, over random inputs of random sizes.

    Sizes of 1 and lengths of 0 and 1 are among them. A difference is |a - b| / max(1, |b|): absolute of numbers up to
    1, relative of larger ones. Where one is NaN or infinite, both have to be the same.

    Args:
        graph: what was written.
        path: the file.
        times: inputs to try.
        seed: what they are drawn by.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    generator, sizes = torch.Generator().manual_seed(seed), random.Random(seed)
    most = 0.0
    for turn in range(times):
        drawn = {axis: 1 if turn == 0 else sizes.randint(1, _MOST.get(axis, 8)) for axis in graph.free}
        given = graph.examples(drawn, generator)
        _put_short_ones(graph, given)
        feed = {port.name: tensor.numpy() for port, tensor in zip(graph.inputs, given, strict=True)}
        found = session.run([port.name for port in graph.outputs], feed)
        with torch.no_grad():
            expected = graph.module(*given)
        for one, other in zip(found, expected, strict=True):
            most = max(most, _difference(one, other.numpy()))
    return most


def _put_short_ones(graph: Graph, given: tuple[torch.Tensor, ...]) -> None:
    """Lengths of 0 and 1 among others, wherever there is more than one sequence."""
    for port, tensor in zip(graph.inputs, given, strict=True):
        if port.upto is not None and len(tensor) > 1:
            tensor[-1] = 0
            if len(tensor) > 2:
                tensor[-2] = 1


def _difference(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    if one.shape != other.shape or one.dtype != other.dtype:
        return float("inf")
    if one.dtype.kind != "f":
        return float((one != other).any())
    finite = np.isfinite(other)
    if not np.array_equal(one[~finite], other[~finite], equal_nan=True):
        return float("inf")
    apart = np.abs(one[finite] - other[finite]) / np.maximum(1, np.abs(other[finite]))
    return float(apart.max(initial=0.0)) if np.isfinite(apart).all() else float("inf")
