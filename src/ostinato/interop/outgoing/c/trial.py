"""Generated files tried: compiled, run on examples, timed."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ostinato.core.errors import OstinatoError
from ostinato.interop.outgoing.c.source import Program

#: Warnings that the files compile without.
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror")


class TrialError(OstinatoError):
    """A generated file that does not compile, or does not run: not the user's fault."""


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Attributes:
        output: what the program wrote.
        seconds: of a step; None where none were timed.
        code_bytes: of the compiled file, constants aside.
    """

    output: bytes
    seconds: float | None
    code_bytes: int


def compiler() -> str | None:
    """The C compiler here: `CC` of the environment, or what is called cc, gcc or clang; None where there is none."""
    names = (os.environ.get("CC"), "cc", "gcc", "clang")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def tried(
    program: Program,
    folder: Path,
    given: bytes,
    *,
    compiler: str,
    flags: Sequence[str] = ("-O2",),
    strict: Sequence[str] = STRICT,
    emulator: Sequence[str] = (),
    repeats: int = 0,
) -> Trial:
    """Compile a program in a folder, and run it.

    Args:
        program: what to try.
        folder: for its files, and those of the compiler.
        given: examples, as its driver reads them.
        compiler: the command.
        flags: of the compiler.
        strict: more of them, for the program itself.
        emulator: the command that runs programs of another machine.
        repeats: steps to time.

    Raises:
        TrialError: it does not compile, or stops.
    """
    for suffix, text in (("h", program.header), ("c", program.source)):
        (folder / f"{program.name}.{suffix}").write_text(text)
    (folder / "driver.c").write_text(program.driver)
    library = [] if "-D" + program.name.upper() + "_NO_LIBM" in flags else ["-lm"]
    one = folder / f"{program.name}.o"
    _run([compiler, *strict, *flags, "-c", f"{program.name}.c", "-o", one.name], folder)
    _run([compiler, "-std=c99", *flags, "driver.c", one.name, "-o", "driver", *library], folder)
    made = _run([*emulator, str(folder / "driver"), str(repeats)], folder, given)
    timed = made.stderr.decode().split()
    seconds = float(timed[-1]) if repeats else None
    return Trial(made.stdout, seconds, _code_bytes(one))


def _run(command: Sequence[str], folder: Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        found = subprocess.run(command, cwd=folder, input=given, capture_output=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrialError(f"{command[0]}: {error}") from error
    if found.returncode:
        said = found.stderr.decode(errors="replace").strip()[-2000:]
        raise TrialError(f"{' '.join(command)}: ended with {found.returncode}: {said}")
    return found


def _code_bytes(file: Path) -> int:
    """Of the sections with instructions, as `size` has them; 0 where there is no such command."""
    command = shutil.which("size")
    if command is None:
        return 0
    found = subprocess.run([command, "-A", str(file)], capture_output=True, check=False, text=True)
    rows = (line.split() for line in found.stdout.splitlines())
    return sum(int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".text"))
