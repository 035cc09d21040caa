"""Format c: a header and a source, compiled and compared with the run where there is a compiler."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from ostinato.api.results import Exported, ExportedFile
from ostinato.api.run import Run
from ostinato.config.export import Export
from ostinato.core.errors import ConfigError, DataError
from ostinato.interop.outgoing.c import Program, compiler, identifier, tried
from ostinato.tasks.contract import ExportsC

#: A folder always: two files.
SUFFIX = ""

#: Random inputs that are compared, from a generator of this seed.
_CHECKS, _SEED = 20, 1

#: Largest difference of float32 weights that is let pass: other sums come in another order; another meaning is far
#: above. int8 weights are other weights: how far they are off is said.
_MOST = 1e-4

#: Steps that are timed, at least.
_TIMED = 2_000


def write(run: Run, options: Export, folder: Path, *, single: bool) -> Exported:
    """Write both files, and try them."""
    task, name = run.config["task"], identifier(options.name)
    if Path(options.out).suffix in (".c", ".h"):
        raise ConfigError(f"--out {options.out}: expected a folder, for two files; --name says what they are called")
    if not isinstance(run.task, ExportsC):
        raise DataError(f"--to c: a model of task {task!r} writes by a decoder, which has no form in C; use --to onnx")
    program = run.task.program(run, name, options.weights)
    files = []
    for suffix, text in (("h", program.header), ("c", program.source)):
        path = folder / f"{name}.{suffix}"
        path.write_text(text, encoding="ascii")
        files.append(ExportedFile(file=path.name, bytes=path.stat().st_size))
    said = Exported(run=options.run, task=task, to="c", files=files, weight_bytes=program.weight_bytes)
    if (command := compiler()) is None:
        said.unchecked = "there is no C compiler here (cc, gcc or clang, or the one that CC names)"
    else:
        _try(run, program, command, options, said)
    return said


def _try(run: Run, program: Program, command: str, options: Export, said: Exported) -> None:
    """Compile the files, compare them, and fill in what is found.

    Raises:
        DataError: they give other numbers than the run.
        TrialError: they do not compile, or stop.
    """
    assert isinstance(run.task, ExportsC)
    sample = run.task.sample(run, np.random.default_rng(_SEED), _CHECKS)
    with tempfile.TemporaryDirectory(prefix="ostinato-c-") as folder:
        trial = tried(program, Path(folder), sample.given, compiler=command, strict=("-std=c99",), repeats=_TIMED)
    apart = sample.difference(trial.output)
    if not apart <= (_MOST if options.weights == "float32" else 1e30):
        raise DataError(
            f"--to c: the compiled files give other numbers than the run, {apart:.1e} apart at most where {_MOST:.0e} "
            "is allowed; nothing is written"
        )
    said.checked, said.difference = sample.inputs, apart
    said.code_bytes, said.seconds = trial.code_bytes or None, trial.seconds
