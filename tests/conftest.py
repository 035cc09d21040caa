"""What holds for all tests."""

import os
from pathlib import Path

from hypothesis import settings

# The same examples each time: a failure is one that can be looked for, not one that goes away.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")

# Cells are compiled once for all tests, those that a test's own processes run too; `make clean` forgets them.
os.environ.setdefault("OSTINATO_KERNELS", str(Path(__file__).parents[1] / "build" / "kernels"))
