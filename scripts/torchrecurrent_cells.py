"""torchrecurrent's cells, compiled, beside torchrecurrent itself: numbers first, then forward and backward, one by one.

    pip install torchrecurrent --no-deps
    python scripts/torchrecurrent_cells.py --sizes 32,200,128 64,100,256

Both sides compute in float32 with the same weights and inputs. Times are medians of turns that alternate, in
milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchrecurrent
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from ostinato.compiler.kernel import kernel_of
from ostinato.kernels import compiled
from ostinato.native import library as native_library
from tests.cells_of_others.torchrecurrent import CELLS


def main() -> None:
    """Print a row for each cell and size, and the median of each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["32,200,128"], metavar="N,T,H", help="D is H")
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS, metavar="NAME")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    ratios: dict[str, list[float]] = {size: [] for size in given.sizes}
    print(f"{'cell':<24}{'form':<9}{'N,T,H':<14}{'theirs':>9}{'ours':>9}{'times':>7}")
    for name in given.cells:
        for size in given.sizes:
            N, T, H = map(int, size.split(","))
            theirs, ours, form = _sides(name, N, T, H)
            times = [[_timed(side) for side in (theirs, ours)] for _ in range(given.turns)]
            first, second = (1000 * statistics.median(column) for column in zip(*times, strict=True))
            ratios[size].append(first / second)
            print(f"{name:<24}{form:<9}{size:<14}{first:>9.1f}{second:>9.2f}{first / second:>7.1f}", flush=True)
    for size, found in ratios.items():
        print(f"{size}: {len(found)} cells, median {statistics.median(found):.1f}, least {min(found):.1f}")


def _sides(name: str, N: int, T: int, H: int) -> tuple[Callable[[], Any], Callable[[], Any], str]:
    """What is timed on either side, after a comparison, and the form of ours."""
    torch.manual_seed(0)
    module = getattr(torchrecurrent, name)(H, H)
    cell = CELLS[name](H, H)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5 * H**-0.5)  # as they come, some are chaotic
    own = {key.removeprefix("cells.0."): tensor for key, tensor in module.named_parameters()}
    p = {key: own[key].detach().reshape(d.shape).clone().requires_grad_() for key, d in cell.parameters().items()}
    x, upstream = torch.randn(T, N, H), torch.randn(T, N, H) / H
    sides = [x.clone().requires_grad_() for _ in range(2)]

    def theirs() -> list[Tensor]:
        output, _ = module(sides[0])
        return [output, *torch.autograd.grad(output, [sides[0], *(own[key] for key in p)], upstream)]

    def ours() -> list[Tensor]:
        output = compiled.run(cell, p, sides[1], cell.initial_state(N, x)).output
        return [output, *torch.autograd.grad(output, [sides[1], *p.values()], upstream)]

    for key, wanted, found in zip(("output", "x", *p), theirs(), ours(), strict=True):
        wanted, found = wanted.detach(), found.detach().reshape(wanted.shape)
        scale = max(1.0, float(wanted.abs().max()))
        error = float((found - wanted).abs().max()) / scale
        if not error < 1e-3:
            print(f"{name}: {key} differs by {error:.1e} of {scale:.2g}")
    library = native_library.load()
    assert not isinstance(library, str), library
    kernel = kernel_of(cell, library.isa)
    form = "fused" if kernel.fused else "phases" if kernel.layout.forward.form.level else "scan"
    return theirs, ours, form


def _timed(side: Callable[[], Any]) -> float:
    began = time.perf_counter()
    side()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
