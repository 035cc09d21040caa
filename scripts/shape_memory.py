"""What torch keeps for every new number of rows it multiplies: `python scripts/shape_memory.py [PRECISION] [UNITS]`.

Prints megabytes in use of malloc's more, for each of sixty numbers of rows, after a linear layer's forward and backward
pass over them; then the same again, when none is new. It needs glibc 2.33.
"""

import ctypes
import sys

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
        before = library.mallinfo2()
        for length in lengths:
            layer(torch.randn(32 * length, int(units), requires_grad=True)).sum().backward()
            layer.zero_grad()
        after = library.mallinfo2()
        more = after.used + after.mapped - before.used - before.mapped
        print(f"{precision}, {units} units, rows {said}: {more / len(lengths) / 1e6:.2f} MB each")


if __name__ == "__main__":
    main()
