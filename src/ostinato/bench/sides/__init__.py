"""Who can do the work of a row: this package and its peers, all behind one small interface."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Protocol

from ostinato.bench.problem import Problem, Results


class Side(Protocol):
    """One side of a comparison, ready to run a problem."""

    def within(self) -> AbstractContextManager[None]:
        """What has to hold around `run`, such as a precision; not timed."""

    def run(self) -> object:
        """The work, once."""

    def results(self) -> Results:
        """What one run makes; the names that this side has."""


def sides() -> dict[str, Callable[[Problem], Side]]:
    """What builds each side, by name; "ostinato" is this package."""
    import torch

    from ostinato.bench.sides.eager import loop, ours, torch_nn
    from ostinato.bench.sides.jax_scan import JaxScan
    from ostinato.bench.sides.onnx_runtime import OnnxRuntime
    from ostinato.bench.sides.streams import OnnxStream, OurStream, TorchStream

    def either(whole: Callable[[Problem], Side], step: Callable[[Problem], Side]) -> Callable[[Problem], Side]:
        return lambda problem: (step if problem.group.work == "step" else whole)(problem)

    return {
        "ostinato": either(ours, OurStream),
        "torch": either(torch_nn, TorchStream),
        "torch-cell": lambda problem: TorchStream(problem, cell=True),
        "torch-padded": lambda problem: torch_nn(problem, packed=False),
        "torch-bf16": lambda problem: torch_nn(problem, dtype=torch.bfloat16),
        "jax": JaxScan,
        "onnxruntime": either(OnnxRuntime, OnnxStream),
        "loop": loop,
    }


#: Packages that a side needs beyond this one's own.
NEEDS = {"jax": ("jax",), "onnxruntime": ("onnx", "onnxruntime")}


def why_left_out(peer: str) -> str | None:
    """Why a peer cannot take part, in a few words; None where it can."""
    missing = [package for package in NEEDS.get(peer, ()) if find_spec(package) is None]
    return f"{' and '.join(missing)} not installed (pip install 'ostinato[bench]')" if missing else None
