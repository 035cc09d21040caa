"""A case: files, what is done to them, and commands. Plain data, so that whatever is found can be kept and replayed."""

from __future__ import annotations

import json
import os
import pkgutil
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import ostinato
from tests.fuzz import damage, samples

SECONDS = 20  #: of processor time that the commands of a case may take; they train on a few lines
PATIENCE = 60  #: seconds until a case is taken to hang
MEGABYTES = 700  #: of memory above what was there when it began
GUARD = {"precious.txt": "not yours\n", "checkpoint/state-1.safetensors": "nor this\n", "metrics.jsonl": "{}\n"}


@dataclass
class Case:
    """What is run, and on what.

    Attributes:
        area: for the report.
        sample: name of the files and the run to start from, in `samples`; empty for an empty folder.
        changes: what is done to them, in `damage`'s words.
        commands: words after `ostinato`, run one after the other.
        stdin: text of standard input, a character for each byte.
        layer: of a layer's case, what to compare; then there are no commands.
    """

    area: str
    sample: str = ""
    changes: list[list[Any]] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    stdin: str = ""
    layer: dict[str, Any] = field(default_factory=dict)

    def dumps(self) -> str:
        """As one JSON object, without what is empty."""
        return json.dumps({name: value for name, value in asdict(self).items() if value}, indent=1)


def judge(case: Case, bases: Path) -> str:
    """What is wrong with how a case ends: a line and what is known of it; empty where nothing is."""
    with tempfile.TemporaryDirectory(prefix="ostinato-fuzz-") as name:
        _prepare(case, Path(name), bases)
        return _run(case, Path(name))


def warm() -> None:
    """Import once what commands import when they need it: every case is a fork of this process."""
    for module in ("torch._dynamo", "ostinato.api", "ostinato.cli.commands", "ostinato.losses"):
        import_module(module)
    for info in pkgutil.walk_packages(ostinato.__path__, "ostinato."):
        if not info.name.startswith(("ostinato.bench", "ostinato.sklearn", "ostinato.testing")):
            with suppress(ImportError):  # of a package that is not installed
                import_module(info.name)


def _prepare(case: Case, folder: Path, bases: Path) -> None:
    for name, text in GUARD.items():
        (folder / "guard" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "guard" / name).write_text(text)
    if case.sample:
        shutil.copytree(samples.made(case.sample, bases), folder / "work")
    else:
        (folder / "work").mkdir()
    for change in case.changes:
        damage.apply(change, folder / "work")
    (folder / "stdin").write_bytes(case.stdin.encode("latin-1"))


def _run(case: Case, folder: Path) -> str:
    """Fork: the child has torch already, a working folder, memory and time of its own, and may die of it."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        status = 70
        try:
            status = _child(case, folder)
        finally:
            os._exit(status)
    end = time.monotonic() + PATIENCE
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"hangs: nothing after {PATIENCE} s"
        time.sleep(0.002)
    wrong = [_of_status(status, folder), *_of_output(folder), *_of_guard(folder)]
    if usage.ru_utime + usage.ru_stime > SECONDS:
        wrong.append(f"slow: {usage.ru_utime + usage.ru_stime:.0f} s of processor time")
    if (grown := int(_read(folder / "grown") or 0)) > MEGABYTES:
        wrong.append(f"large: {grown} MB of memory")
    return "\n".join(filter(None, wrong))


def _child(case: Case, folder: Path) -> int:
    """Status 0: all is well; 1: what `fault` says."""
    os.chdir(folder / "work")
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    for number, name in enumerate(("stdin", "out", "err")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(folder / name, flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(os.dup(n), "r" if n == 0 else "w", encoding="utf-8", errors="strict" if n < 2 else "backslashreplace")
        for n in range(3)
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        fault = _layer(case) if case.layer else _commands(case.commands, folder)
    except BaseException:
        fault = f"traceback:\n{traceback.format_exc()[-1500:]}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    (folder / "grown").write_text(str(grown))
    (folder / "fault").write_text(fault, encoding="utf-8", errors="backslashreplace")
    return 1 if fault else 0


def _layer(case: Case) -> str:
    from tests.fuzz import layers

    return layers.difference(case.layer)


def _commands(commands: list[list[str]], folder: Path) -> str:
    from ostinato.cli.main import main

    for words in commands:
        out_before, err_before = os.fstat(1).st_size, os.fstat(2).st_size
        try:
            status = main(words)
        except SystemExit as leaving:
            status = leaving.code
        except BaseException:
            return f"traceback of {words}:\n{traceback.format_exc()[-1500:]}"
        sys.stdout.flush()
        sys.stderr.flush()
        if status not in (0, 2):
            return f"status {status} of {words}"
        said = (folder / "err").read_bytes()[err_before:]
        if status == 2 and not said.strip():
            return f"nothing said for status 2 of {words}"
        if status == 0 and "--json" in words and "--help" not in words and "-h" not in words:
            written = (folder / "out").read_bytes()[out_before:]
            if fault := _of_json(written):
                return f"{fault} of {words}"
    return ""


def _of_json(written: bytes) -> str:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        json.loads(written.splitlines()[-1], parse_constant=refuse)
    except (ValueError, IndexError) as error:
        return f"bad JSON ({error})"
    return ""


def _of_status(status: int, folder: Path) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by signal {os.WTERMSIG(status)}\n{_read(folder / 'err')[-500:]}"
    return _read(folder / "fault") or ("" if status == 0 else f"status {status} without a word")


def _of_output(folder: Path) -> list[str]:
    err = _read(folder / "err")
    marks = {
        "Traceback (most": "traceback on standard error",
        "Warning: ": "a warning of Python's",
        "\x1b": "an escape",
    }
    found = [name for mark, name in marks.items() if mark in err]
    return [f"{', '.join(found)}:\n{err[-1000:]}"] if found else []


def _of_guard(folder: Path) -> list[str]:
    """What lies outside has to be what it was."""
    kept = {str(path.relative_to(folder / "guard")) for path in (folder / "guard").rglob("*") if path.is_file()}
    changed = [name for name, text in GUARD.items() if _read(folder / "guard" / name) != text]
    changed += sorted(kept - set(GUARD))
    return [f"touched outside of the folder: {', '.join(changed)}"] if changed else []


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""


def load(path: Path) -> Case:
    """A case that was kept."""
    return Case(**json.loads(path.read_text(encoding="utf-8")))


def seeded(area: str, number: int) -> random.Random:
    """The same draws for the same case, on every machine."""
    return random.Random(f"{area} {number}")
