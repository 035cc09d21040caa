"""Format c: a header and a source, compiled and compared with the run where there is a compiler."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ostinato.api.exporting.describing import MOST, near
from ostinato.api.results import Exported, ExportedFile
from ostinato.api.run import Run
from ostinato.config.export import Export
from ostinato.core.errors import ConfigError, DataError
from ostinato.interop.outgoing.c import Program, Sample, compiler, identifier, tried
from ostinato.tasks.contract import ExportsC

#: A folder always: two files.
SUFFIX = ""

#: Random inputs that are compared, from a generator of this seed.
_CHECKS, _SEED = 20, 1

#: Steps that are timed, at least.
_TIMED = 2_000


def write(run: Run, options: Export, folder: Path, *, single: bool) -> Exported:
    """Write both files, and try them."""
    task, name, does = run.config["task"], identifier(options.name), run.task
    if not isinstance(does, ExportsC):
        raise DataError(f"--to c: a model of task {task!r} writes by a decoder, which has no form in C; use --to onnx")
    program = does.program(run, name, options.weights)
    return written(program, folder, options, lambda: does.sample(run, np.random.default_rng(_SEED), _CHECKS), task)


def written(program: Program, folder: Path, options: Export, sample: Callable[[], Sample], task: str) -> Exported:
    """Write both files of a program, and try them.

    Args:
        program: of a model or a layer.
        folder: to write to.
        options: of the command.
        sample: makes inputs, and what the model gives of them.
        task: of the run, or "layer".

    Raises:
        ConfigError: `out` names a file.
        DataError: they give other numbers than the model.
        TrialError: they do not compile, or stop.
    """
    if Path(options.out).suffix in (".c", ".h"):
        raise ConfigError(f"--out {options.out}: expected a folder, for two files; --name says what they are called")
    files = []
    for suffix, text in (("h", program.header), ("c", program.source)):
        path = folder / f"{program.name}.{suffix}"
        path.write_text(text, encoding="ascii")
        files.append(ExportedFile(file=path.name, bytes=path.stat().st_size))
    said = Exported(run=options.run, task=task, to="c", files=files, weight_bytes=program.weight_bytes)
    if (command := compiler()) is None:
        said.unchecked = "there is no C compiler here (cc, gcc or clang, or the one that CC names)"
    else:
        _try(program, sample(), command, options, said)
    return said


def _try(program: Program, sample: Sample, command: str, options: Export, said: Exported) -> None:
    """Compile the files, compare them, and fill in what is found."""
    with tempfile.TemporaryDirectory(prefix="ostinato-c-") as folder:
        trial = tried(program, Path(folder), sample.given, compiler=command, strict=("-std=c99",), repeats=_TIMED)
    apart = sample.difference(trial.output)
    of = "layer" if said.task == "layer" else "run"
    # int8 weights are other weights: how far they are off is said
    most = MOST if options.weights == "float32" else 1e30
    near(apart, f"--to c: the compiled files give other numbers than the {of}", most)
    said.checked, said.difference = sample.inputs, apart
    said.code_bytes, said.seconds = trial.code_bytes or None, trial.seconds
