"""A written graph in ONNX Runtime, beside the module it was written from."""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ostinato.interop.outgoing.graphs import Graph, Port

#: Largest sizes of free axes that are drawn.
_MOST = {"T": 24, "S": 24, "N": 5}


def largest_difference(
    graph: Graph, path: Path, times: int = 20, seed: int = 0, fixed: Mapping[str, int] | None = None
) -> float:
    """How far the file's answers are from the module's at most, over random inputs of random sizes.

    All sizes being 1, each being 0, and lengths of 0 and 1 are among them. A difference is |a - b| / max(1, |b|):
    absolute of numbers up to 1, relative of larger ones. Where one is NaN or infinite, both have to be the same.

    Args:
        graph: what was written.
        path: the file.
        times: inputs to try.
        seed: what they are drawn by.
        fixed: sizes of axes that the file has fixed.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # the inputs are small
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    generator, most = torch.Generator().manual_seed(seed), 0.0
    for any_size in _sizes(graph, times, random.Random(seed)):
        drawn = any_size | {axis: size for axis, size in (fixed or {}).items() if axis in any_size}
        given = graph.examples(drawn, generator)
        _put_short_ones(graph, given, drawn)
        feed = {port.name: tensor.numpy() for port, tensor in zip(graph.inputs, given, strict=True)}
        found = session.run([port.name for port in graph.outputs], feed)
        expected = _of_module(graph, given, drawn)
        for one, other in zip(found, expected, strict=True):
            most = max(most, _difference(one, other.numpy()))
    return most


def _sizes(graph: Graph, times: int, draw: random.Random) -> Iterator[dict[str, int]]:
    """Sizes of the free axes: all 1, then one of them 0, then any. Of what ids point at there is always one."""
    pointed_at = {port.below for port in graph.inputs}
    empty = [axis for axis in graph.free if axis not in pointed_at]
    yield dict.fromkeys(graph.free, 1)
    for turn in range(times - 1):
        drawn = {axis: draw.randint(1, _MOST.get(axis, 8)) for axis in graph.free}
        yield drawn | ({empty[turn]: 0} if turn < len(empty) else {})


def _of_module(graph: Graph, given: tuple[torch.Tensor, ...], sizes: Mapping[str, int]) -> list[torch.Tensor]:
    """What the module gives; of no steps at all, what it gives of one that no sequence has."""
    stretched = [
        torch.cat([tensor, tensor.new_zeros(*tensor.shape[:at], 1, *tensor.shape[at + 1 :])], dim=at)
        if (at := _empty(port, sizes)) is not None else tensor
        for port, tensor in zip(graph.inputs, given, strict=True)
    ]  # fmt: skip
    with torch.no_grad():
        found = graph.module(*stretched)
    return [
        one.narrow(at, 0, 0) if (at := _empty(port, sizes)) is not None else one
        for port, one in zip(graph.outputs, found, strict=True)
    ]


def _empty(port: Port, sizes: Mapping[str, int]) -> int | None:
    """Which of a tensor's axes has no steps; one at most, N aside, which may be 0 wherever torch computes."""
    return next((at for at, axis in enumerate(port.axes) if axis != "N" and sizes.get(str(axis)) == 0), None)


def _put_short_ones(graph: Graph, given: tuple[torch.Tensor, ...], sizes: Mapping[str, int]) -> None:
    """Lengths of 0 and 1 among others, wherever there is more than one sequence."""
    for port, tensor in zip(graph.inputs, given, strict=True):
        if port.upto is not None and len(tensor) > 1:
            tensor[-1] = 0
            if len(tensor) > 2:
                tensor[-2] = min(1, sizes[port.upto])


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
