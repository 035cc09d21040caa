"""Milliseconds that importing the runtime and loading whole models take, torch out of reach, as where it is installed:
with bytecode, which pip writes; medians of processes in turns, so that what else the machine does meets all alike.

python scripts/runtime_import.py [MODEL.npz ...]
"""

import os
import statistics
import subprocess
import sys

TURNS = 15
MEASURE = """
import sys, time
sys.modules["torch"] = None
begin = time.perf_counter()
import numpy
there = time.perf_counter()
{what}
print((there - begin) * 1e3, (time.perf_counter() - begin) * 1e3)
"""


def measured(what: str) -> tuple[float, float]:
    """NumPy's part and the whole, of one process."""
    command = [sys.executable, "-W", "ignore", "-c", MEASURE.format(what=what)]
    written = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    numpy, whole = subprocess.run(command, capture_output=True, check=True, env=written).stdout.split()
    return float(numpy), float(whole)


if __name__ == "__main__":
    runs = {"import ostinato.runtime": "import ostinato.runtime"}
    runs |= {path: f"from ostinato import runtime; runtime.load({path!r})" for path in sys.argv[1:]}
    for what in runs.values():
        measured(what)  # writes the bytecode
    found = [{name: measured(what) for name, what in runs.items()} for _ in range(TURNS)]
    print(f"import numpy: {statistics.median(one[0] for turn in found for one in turn.values()):.0f} ms")
    for name in runs:
        whole = statistics.median(turn[name][1] for turn in found)
        ours = statistics.median(turn[name][1] - turn[name][0] for turn in found)
        print(f"{name}: {whole:.0f} ms, NumPy aside {ours:.0f}")
