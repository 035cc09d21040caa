"""Who can do the work of a row: this package and its peers, all behind one small interface."""

import os
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from ostinato.bench.problem import Problem
from ostinato.bench.sides.side import LeftOutError as LeftOutError
from ostinato.bench.sides.side import Side as Side


def sides() -> Mapping[str, Callable[[Problem], Side]]:
    """What builds each side, by name; "ostinato" is this package."""
    import torch

    from ostinato.bench.sides.compiled_loop import CompiledLoop
    from ostinato.bench.sides.eager import by, loop, ours, torch_nn
    from ostinato.bench.sides.jax_scan import JaxScan
    from ostinato.bench.sides.libraries import Sru, TorchRecurrent, flashrnn
    from ostinato.bench.sides.onnx_runtime import OnnxRuntime
    from ostinato.bench.sides.streams import OnnxStream, OurStream, TorchStream
    from ostinato.kernels import compiled, native_cells

    def either(whole: Callable[[Problem], Side], step: Callable[[Problem], Side]) -> Callable[[Problem], Side]:
        return lambda problem: (step if problem.group.work == "step" else whole)(problem)

    return {
        "ostinato": either(ours, OurStream),
        "native": lambda problem: by(problem, native_cells),
        "compiled": lambda problem: by(problem, compiled),
        "torch": either(torch_nn, TorchStream),
        "torch-cell": lambda problem: TorchStream(problem, cell=True),
        "torch-padded": lambda problem: torch_nn(problem, packed=False),
        "torch-bf16": lambda problem: torch_nn(problem, dtype=torch.bfloat16),
        "torch-compile": CompiledLoop,
        "jax": JaxScan,
        "float32": lambda problem: OurStream(problem, weights="float32"),
        "onnxruntime": either(OnnxRuntime, OnnxStream),
        "onnxruntime-int8": lambda problem: OnnxStream(problem, eight_bits=True),
        "loop": loop,
        "torchrecurrent": TorchRecurrent,
        "sru": Sru,
        "flashrnn": flashrnn,
    }


#: What the process of the sides has in its environment: torch's compiler with nothing from earlier runs, and without
#: processes that go on when its time is up; cells compiled; tools that were installed beside this Python.
ENVIRONMENT = {
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "OSTINATO_COMPILE": "1",
    "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
}
#: Packages that a side needs beyond this one's own, and what brings them where the extra does not.
NEEDS = {
    "jax": ("jax",),
    "onnxruntime": ("onnx", "onnxruntime"),
    "onnxruntime-int8": ("onnx", "onnxruntime"),
    "torchrecurrent": ("torchrecurrent",),
    "sru": ("sru",),
    "flashrnn": ("flashrnn", "einops"),
}
_BROUGHT_BY = {"flashrnn": "flashrnn einops, which bring triton"}


def why_left_out(peer: str) -> str | None:
    """Why a peer cannot take part, in a few words; None where it can."""
    missing = [package for package in NEEDS.get(peer, ()) if find_spec(package) is None]
    brought_by = _BROUGHT_BY.get(peer, "'ostinato[bench]'")
    return f"{' and '.join(missing)} not installed (pip install {brought_by})" if missing else None
