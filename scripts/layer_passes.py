"""Milliseconds of a layer's forward and backward pass: `python scripts/layer_passes.py N T D H [options]`.

For two builds of the library, or before and after a change: medians of a few seconds, in a process of its own each
time, with freed memory kept as in training (docs/adr/0082). `ostinato bench layers` compares with other libraries.
"""

import argparse
import statistics
import time

import torch

import ostinato
from ostinato.core.memory import freed_kept


def main() -> None:
    """Measure one layer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "sizes", nargs=4, type=int, metavar=("N", "T", "D", "H"), help="sequences, steps, inputs, units"
    )
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--precision", default="highest", choices=("highest", "high", "medium"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision(options.precision)
    sequences, steps, inputs, units = options.sizes
    layer = ostinato.Recurrent(options.cell, inputs, units)
    x = torch.randn(steps, sequences, inputs, requires_grad=True)
    upstream = torch.randn_like(layer(x)[0])
    passes: list[tuple[float, float]] = []
    with freed_kept():
        end = time.perf_counter() + options.seconds
        while (begin := time.perf_counter()) < end or len(passes) < 10:
            output = layer(x)[0]
            between = time.perf_counter()
            output.backward(upstream)
            passes.append((between - begin, time.perf_counter() - between))
    forward, backward = (1e3 * statistics.median(times) for times in zip(*passes[3:], strict=True))
    print(f"{options.cell}, {options.precision}: forward {forward:.2f} ms, backward {backward:.2f} ms")


if __name__ == "__main__":
    main()
