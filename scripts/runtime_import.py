"""Milliseconds that importing the runtime and loading whole models take, torch out of reach, as where it is installed:
with bytecode, which pip writes; medians.

python scripts/runtime_import.py [MODEL.npz ...]
"""

import os
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
    """Of eleven processes, after one that writes the bytecode."""
    command = [sys.executable, "-W", "ignore", "-c", MEASURE.format(what=what, before=before)]
    written = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    runs = [subprocess.run(command, capture_output=True, check=True, env=written) for _ in range(12)]
    return statistics.median(float(run.stdout) for run in runs[1:])


if __name__ == "__main__":
    print(f"import numpy: {median('import numpy'):.0f} ms")
    runtime = "import ostinato.runtime"
    print(f"{runtime}: {median(runtime):.0f} ms, NumPy aside {median(runtime, 'import numpy'):.0f}")
    for path in sys.argv[1:]:
        loading = f"from ostinato import runtime; runtime.load({path!r})"
        print(f"{path}: import and load {median(loading):.0f} ms, NumPy aside {median(loading, 'import numpy'):.0f}")
