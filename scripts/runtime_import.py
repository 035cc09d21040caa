"""Milliseconds that importing the runtime and loading whole models take, torch out of reach; medians.

python scripts/runtime_import.py [MODEL.npz ...]
"""

import statistics
import subprocess
import sys

MEASURE = """
import sys, time
sys.modules["torch"] = None
{before}
begin = time.perf_counter()
{what}
print((time.perf_counter() - begin) * 1e3)
"""


def median(what: str, before: str = "") -> float:
    """Of eleven processes."""
    script = MEASURE.format(what=what, before=before)
    runs = [subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, check=True)
            for _ in range(11)]  # fmt: skip
    return statistics.median(float(run.stdout) for run in runs)


if __name__ == "__main__":
    for module in ("numpy", "ostinato.runtime"):
        print(f"import {module}: {median(f'import {module}'):.0f} ms")
    for path in sys.argv[1:]:
        loading = f"from ostinato import runtime; runtime.load({path!r})"
        print(f"{path}: import and load {median(loading):.0f} ms, NumPy aside {median(loading, 'import numpy'):.0f}")
