"""How long it takes until a cell is compiled, and until it is loaded from the cache: in processes of their own."""

import gc
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ostinato.bench import process

#: D and H. The code of a cell is nearly the same for all sizes.
SIZE = 128


def measure(cells: Sequence[str], plugins: Sequence[str], threads: int) -> Iterator[dict[str, Any]]:
    """For each cell `compile_s`, cold, then `load_ms` in a second process; `why` where it is not compiled.

    Args:
        cells: names.
        plugins: modules to import first.
        threads: cores that the compiler may use.
    """
    cold: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="ostinato-bench-") as folder:
        for turn in ("cold", "cached"):
            job = {"cells": [cell for cell in cells if not cold or "seconds" in cold[cell]], "plugins": plugins}
            for found in process.events(__name__, job, threads, {"XDG_CACHE_HOME": str(Path(folder))}):
                cell = found["cell"]
                if turn == "cold":
                    cold[cell] = found
                    if "why" in found:
                        yield {"cell": cell, "compile_s": None, "load_ms": None, "why": found["why"]}
                    continue
                compile_s, load_ms = round(cold[cell]["seconds"], 3), round(1e3 * found["seconds"], 2)
                yield {"cell": cell, "compile_s": compile_s, "load_ms": load_ms, "why": None}


def ready(cell: str) -> dict[str, Any]:
    """Seconds from a cell's equations to kernels that can be called."""
    from ostinato.compiler.build import NoCompilerError
    from ostinato.compiler.kernel import kernel_of
    from ostinato.compiler.tracer import CannotCompileError
    from ostinato.core.registry import build
    from ostinato.native import library

    loaded = library.load()
    if isinstance(loaded, str):
        return {"cell": cell, "why": loaded}
    began = time.perf_counter()
    try:
        kernel_of(build(cell, SIZE, SIZE), loaded.isa).compile()
    except (CannotCompileError, NoCompilerError) as error:
        return {"cell": cell, "why": str(error)}
    return {"cell": cell, "seconds": time.perf_counter() - began}


def main() -> None:
    """Standard input to standard output."""
    with process.Answers() as answers:
        from ostinato import cells  # noqa: F401  registers those of the package
        from ostinato.api.plugins import import_plugins

        import_plugins(answers.job["plugins"])
        torch.zeros(1) + 1  # torch is ready before the first cell
        gc.collect()  # goes through all of torch: some 90 ms, which one cell in the middle would pay for all
        for cell in answers.job["cells"]:
            answers.tell(ready(cell))
