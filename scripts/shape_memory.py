"""What torch keeps for every new number of rows it multiplies: `python scripts/shape_memory.py [PRECISION] [UNITS]`.

Prints megabytes in use of malloc's more and milliseconds, for each of sixty numbers of rows, after a linear layer's
forward and backward pass over them; then the same again, when none is new. It needs glibc 2.33.
"""

import ctypes
import sys
import time

import torch

from ostinato.core.memory import Heap


def main() -> None:
    """Measure a layer."""
    precision, units = [*sys.argv[1:], *["medium", "832"][len(sys.argv) - 1 :]]
    torch.set_float32_matmul_precision(precision)
    torch.set_num_threads(1)
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Heap
    layer, lengths = torch.nn.Linear(int(units), int(units)), range(200, 260)
    for said in ("new", "seen before"):
        before, begin = library.mallinfo2(), time.perf_counter()
        for length in lengths:
            layer(torch.randn(32 * length, int(units), requires_grad=True)).sum().backward()
            layer.zero_grad()
        after, took = library.mallinfo2(), time.perf_counter() - begin
        more = after.used + after.mapped - before.used - before.mapped
        each = f"{more / len(lengths) / 1e6:.2f} MB, {1e3 * took / len(lengths):.1f} ms"
        print(f"{precision}, {units} units, rows {said}: {each} each")


if __name__ == "__main__":
    main()
