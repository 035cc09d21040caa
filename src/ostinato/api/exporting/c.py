"""Format c: a header and a source, compiled and compared with the run where there is a compiler."""

from pathlib import Path

import numpy as np

from ostinato.api.exporting.compiling import written
from ostinato.api.results import Exported
from ostinato.api.run import Run
from ostinato.config.export import Export
from ostinato.core.errors import DataError
from ostinato.interop.outgoing.c import identifier
from ostinato.tasks.contract import ExportsC

#: A folder always: two files.
SUFFIX = ""

#: Random inputs that are compared, from a generator of this seed.
_CHECKS, _SEED = 20, 1


def write(run: Run, options: Export, folder: Path, *, single: bool) -> Exported:
    """Write both files, and try them."""
    task, name, does = run.config["task"], identifier(options.name), run.task
    if not isinstance(does, ExportsC):
        raise DataError(f"--to c: a model of task {task!r} writes by a decoder, which has no form in C; use --to onnx")
    program = does.program(run, name, options.weights)
    return written(program, folder, options, lambda: does.sample(run, np.random.default_rng(_SEED), _CHECKS), task)
