"""Milliseconds that importing the runtime takes, torch out of reach; median of several fresh processes.

python scripts/runtime_import.py
"""

import statistics
import subprocess
import sys

MEASURE = """
import sys, time
sys.modules["torch"] = None
begin = time.perf_counter()
import {module}
print((time.perf_counter() - begin) * 1e3)
"""

if __name__ == "__main__":
    for module in ("numpy", "ostinato.runtime"):
        script = MEASURE.format(module=module)
        runs = [subprocess.run([sys.executable, "-c", script], capture_output=True, check=True) for _ in range(11)]
        print(f"import {module}: {statistics.median(float(run.stdout) for run in runs):.0f} ms")
