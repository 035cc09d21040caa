"""Random cells, compiled, beside the reference: `make fuzz CELLS=2000 SEED=1`, or `python -m tests.fuzz.cells`.

Prints its seed, and of each kind of fault the smallest cell that has it, as Python. A cell takes a third of a second.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.fuzz.cells.batch import by_kind, cases, faults, report, smallest
from tests.fuzz.cells.drawing import draw_gated

BATCH = 50  #: compiled as one library


def main() -> int:
    """Status 1 where there are faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.cells", description=__doc__.split("\n\n")[0])
    parser.add_argument("--cells", type=int, default=2000, help="how many (default: 2000)")
    parser.add_argument("--seed", type=int, default=None, help="of the first; by default another one each time")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if given.seed is None else given.seed
    print(f"seed {seed}, {given.cells} cells", flush=True)
    seen: dict[str, int] = {}
    began, done = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="ostinato-fuzz-kernels-") as cache:
        os.environ["OSTINATO_KERNELS"] = cache
        while done < given.cells:
            wanted = min(BATCH, given.cells - done)
            drawn = [*cases(seed, wanted - wanted // 10), *cases(seed, wanted // 10, draw_gated)]
            seed, done = max(case.seed for case in drawn) + 1, done + wanted
            found = faults(drawn, "-O0")
            for kind, places in by_kind(found).items():
                seen[kind] = seen.get(kind, 0) + len(places)
                if seen[kind] == len(places):
                    print(f"\nFAULT {report(*smallest(drawn[places[0]], found[places[0]]))}", flush=True)
            print(f"{done} cells, {sum(seen.values())} faults, {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(f"{done} cells, {sum(seen.values())} faults of {len(seen)} kinds")
    for kind, count in sorted(seen.items(), key=lambda pair: -pair[1]):
        print(f"{count:5d}  {kind}")
    return int(bool(seen))


if __name__ == "__main__":
    sys.exit(main())
