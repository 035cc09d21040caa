"""What the figures were measured on, and how fast it is at plain products."""

import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ostinato.core.files import replace_text
from ostinato.kernels import matmul
from ostinato.native import library as native_library

_SIZE = 2048
#: A run is void where the machine multiplies slower than this share of its usual rate.
VOID_BELOW = 0.85
#: Seconds for which a rate still stands.
_FRESH = 2.0
_PACKAGES = ("ostinato", "torch", "jax", "onnxruntime", "numpy")


def describe() -> dict[str, Any]:
    """Processor, cores, instruction set of the native kernels, versions."""
    library = native_library.load()
    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "isa": library if isinstance(library, str) else library.isa,
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def cpu_name() -> str:
    """Model of the processor, with family and number: virtual machines hide the name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", text, re.MULTILINE))
    name = found.get("model name", platform.machine())
    return f"{name} (family {found['cpu family']}, model {found['model']})" if "cpu family" in found else name


def computed_instead(precision: str) -> str | None:
    """What the machine computes instead of products of a precision; None where it has them."""
    library = native_library.load()
    if precision == "highest" or isinstance(library, str) or library.precision(precision) == precision:
        return None
    return f"{library.isa} computes {precision!r} as {library.precision(precision)!r}"


class Rate:
    """The machine's rate of plain products beside measurements: before and after each.

    Args:
        threads: torch's.
        isa: instruction set forced on it.
    """

    def __init__(self, threads: int, isa: str | None = None) -> None:
        self._threads, self._isa = threads, isa
        self._before, self._at = sgemm(), time.monotonic()

    def since(self) -> tuple[dict[str, float], bool, float]:
        """Since the last call, or the beginning.

        Returns:
            `before`, `after` and `usual` in GF/s; whether what was measured in between is void; the mean rate.
        """
        before = after = self._before
        if time.monotonic() - self._at > _FRESH:
            self._before = after = sgemm()
            self._at = time.monotonic()
        usual = usual_sgemm(max(before, after), self._threads, self._isa)
        rates = {"before": round(before, 1), "after": round(after, 1), "usual": round(usual, 1)}
        return rates, min(before, after) < VOID_BELOW * usual, (before + after) / 2


def sgemm() -> float:
    """Rate of torch's own product of two float32 matrices of 2048 x 2048, in GF/s, with torch's threads."""
    a, b = torch.randn(_SIZE, _SIZE), torch.randn(_SIZE, _SIZE)
    return _rate(lambda: a @ b)


def _rate(product: Callable[[], object]) -> float:
    times = []
    product()
    for _ in range(4):
        begun = time.perf_counter()
        product()
        times.append(time.perf_counter() - begun)
    return 2 * _SIZE**3 / statistics.median(times) / 1e9


def limits(precision: str, threads: int, isa: str | None) -> dict[str, float]:
    """Rates of a product of 2048 x 2048 by each library that multiplies in a precision here, in GF/s.

    Each is the best ever seen on this machine: the floor of a step is the time of its products at the best of them.

    Args:
        precision: "highest" (float32) or "medium" (bfloat16); of others nothing is known.
        threads: torch's, and those of BLAS.
        isa: instruction set forced on all.

    Returns:
        By "torch", "numpy" (what it is linked with) and "ostinato"; of "medium" by "torch" alone.
    """
    a, b = torch.randn(_SIZE, _SIZE), torch.randn(_SIZE, _SIZE)
    found: dict[str, float] = {}
    if precision == "medium" and computed_instead("medium") is None:
        rounded, other = a.bfloat16(), b.bfloat16()
        found["torch"] = _rate(lambda: rounded @ other)
    elif precision == "highest":
        first, second, into = a.numpy(), b.numpy(), torch.empty(_SIZE, _SIZE)
        found = {"torch": _rate(lambda: a @ b), "numpy": _rate(lambda: first @ second)}
        library = native_library.load()
        if not isinstance(library, str):
            found["ostinato"] = _rate(lambda: matmul.run(library, a, b, into))
    return {name: usual_sgemm(rate, threads, isa, f"{precision} by {name}") for name, rate in found.items()}


def floor(flops: float, limits: dict[str, float], median: float) -> dict[str, float]:
    """`floor_ms` of so many multiplications and additions, and `of_floor` of what takes `median` milliseconds."""
    if not limits:
        return {}
    least = flops / max(limits.values()) / 1e6
    return {"floor_ms": round(least, 5), "of_floor": round(least / median, 3)}


def usual_sgemm(rate: float, threads: int, isa: str | None, what: str = "") -> float:
    """The best rate ever seen on this machine with so many threads, this one included; remembered between runs."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = base / "ostinato" / "sgemm.json"
    key = f"{cpu_name()}; torch {torch.__version__}; {isa or 'best'}; {threads} threads" + (what and f"; {what}")
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if rate > known.get(key, 0.0):
        known[key] = rate
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, json.dumps(known, indent=1))
        except OSError:
            pass  # then this run is its own measure
    return float(known[key])
