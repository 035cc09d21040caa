"""C++ to machine code: found compilers, the cache on disk, and loading."""

import ctypes
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple, Self

if sys.platform != "win32":
    import fcntl

#: Names a compiler to use, or says "none".
COMPILER_VARIABLE = "OSTINATO_COMPILER"
#: Names a folder for compiled cells other than the user's cache.
CACHE_VARIABLE = "OSTINATO_KERNELS"
# As in CMakeLists.txt, for each instruction set; others than these are compiled for with those of the set beneath.
_AVX512 = ("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx2", "-mfma")
_SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "amx": ("avx512", _AVX512),
    "amx_emulated": ("avx512", _AVX512),
    "avx512_bf16": ("avx512", _AVX512),
    "avx512": ("avx512", _AVX512),
    "avx2": ("avx2", ("-mavx2", "-mfma")),
    "baseline": ("baseline", ()),
    "neon": ("neon", ()),
    "generic": ("generic", ()),
}
_FLAGS = (
    *("-std=gnu++17", "-O2", "-ffp-contract=off", "-fno-exceptions", "-fno-rtti"),
    *("-fPIC", "-shared", "-fvisibility=hidden", "-w"),
)


#: Seconds to wait for another process that compiles the same.
_PATIENCE = 120


class NoCompilerError(Exception):
    """There is none, or it failed: why."""


class Compiler(NamedTuple):
    """A way to compile C++.

    Attributes:
        command: what to call.
        version: its first line of `--version`, behind the package's name where it is one of Python's.
    """

    command: tuple[str, ...]
    version: str

    @property
    def flags(self) -> tuple[str, ...]:
        """Of every instruction set."""
        if "ziglang" in self.command:  # Zig compiles for this very processor, if not told
            return (*_FLAGS, "-mcpu=baseline")
        return _FLAGS


@cache
def compiler() -> Compiler | str:
    """The first that works of what OSTINATO_COMPILER names, GCC, Clang and `ziglang`; or why there is none."""
    wanted = os.environ.get(COMPILER_VARIABLE)
    if wanted == "none":
        return f"none ({COMPILER_VARIABLE}=none)"
    commands = [(wanted,)] if wanted else [("g++",), ("c++",), ("clang++",)]
    if not wanted and importlib.util.find_spec("ziglang"):
        commands.append((sys.executable, "-m", "ziglang", "c++"))  # type: ignore[arg-type]
    for command in commands:
        if shutil.which(command[0]) is None:
            continue
        ran = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            version = ran.stdout.splitlines()[0]
            return Compiler(command, f"ziglang, {version}" if "ziglang" in command else version)
    return f"{wanted} cannot be run" if wanted else "no C++ compiler (GCC, Clang, or pip install 'ostinato[compiler]')"


def headers() -> Path:
    """Where the native sources lie.

    Raises:
        NoCompilerError: they were not installed.
    """
    spec = find_spec("ostinato.native")
    for folder in (spec and spec.submodule_search_locations) or ():
        if (found := Path(folder) / "source").joinpath("program.h").exists():
            return found
    raise NoCompilerError("the native sources were not installed")


def stages_source(isa: str, code: str, stages: Sequence[str]) -> str:
    """A translation unit of stages.

    Args:
        isa: the instruction set.
        code: the stages.
        stages: of each level, the function's name, or "nullptr".
    """
    return "\n".join([
        f"#define OSTINATO_ISA {_SETS[isa][0]}",
        '#include "program.h"',
        '#include "functions.h"',
        "namespace ostinato { namespace OSTINATO_ISA {",
        code,
        "}}",
        "using namespace ostinato::OSTINATO_ISA;",
        'extern "C" __attribute__((visibility("default")))',
        f"const ostinato_stage ostinato_stages[] = {{{', '.join(stages)}}};",
        "",
    ])  # fmt: skip


def fused_source(isa: str, code: str, roles: str, cell: str, *, backward: bool) -> str:
    """A translation unit of one direction of the fused recurrence.

    Args:
        isa: the instruction set.
        code: the cell's struct.
        roles: what is between the braces of a `FusedRoles`.
        cell: the struct's name, or that of one made of it.
        backward: which direction.
    """
    way = f"{'BackwardPass' if backward else 'ForwardPass'}, {cell}"
    back = str(backward).lower()
    return "\n".join([
        f"#define OSTINATO_ISA {_SETS[isa][0]}",
        "#define OSTINATO_COMPILED",
        '#include "fused.h"',
        "namespace ostinato { const Team* team = nullptr; namespace OSTINATO_ISA {",
        code,
        f"static constexpr FusedRoles roles{{{roles}}};",
        "}}",
        "using namespace ostinato::OSTINATO_ISA;",
        '#define EXPORTED extern "C" __attribute__((visibility("default")))',
        "EXPORTED void ostinato_cell_join(const ostinato::Team* joined) { ostinato::team = joined; }",
        f"EXPORTED int64_t ostinato_cell_kept(const ostinato_program* p) {{ return fused_kept<{cell}>(*p); }}",
        "EXPORTED int64_t ostinato_cell_workspace(const ostinato_program* p)",
        f"{{ return fused_workspace<{way}>(*p, roles, {back}); }}",
        "EXPORTED void ostinato_cell_compute(const ostinato_program* p)",
        f"{{ fused_compute<{way}>(*p, roles, {back}); }}",
        "",
    ])  # fmt: skip


class Library(NamedTuple):
    """A compiled direction.

    Attributes:
        handle: what is loaded.
        compiled: whether it was compiled just now.
    """

    handle: ctypes.CDLL
    compiled: bool


def fingerprint(isa: str, text: str, with_: Compiler) -> str:
    """What a compiled direction depends on."""
    made = hashlib.sha256()
    for part in (with_.version, platform.machine(), *_SETS[isa][1], *with_.flags, text, _headers()):
        made.update(part.encode() + b"\0")
    return made.hexdigest()[:32]


@cache
def _headers() -> str:
    """All of them: what includes what is not asked."""
    return "".join(path.read_text() for path in sorted(headers().glob("**/*.h")))


def cache_folder() -> Path:
    """Where compiled code is kept; a folder that cannot be, for a user without a home."""
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own)
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        cache = Path(os.devnull)
    return cache / "ostinato" / "kernels"


def start(isa: str, text: str) -> "Library | Job":
    """The library from the cache, or a compiler at work on it.

    Raises:
        NoCompilerError: there is none.
    """
    path, with_ = _place(isa, text)
    if (found := _kept(path, compiled=False)) is not None:
        return found
    return Job(path, text, [*with_.command, *with_.flags, *_SETS[isa][1]])


def _place(isa: str, text: str) -> tuple[Path, Compiler]:
    """Of a library in the cache, and what compiles it."""
    with_ = compiler()
    if isinstance(with_, str):
        raise NoCompilerError(with_)
    return cache_folder() / f"{fingerprint(isa, text, with_)}.so", with_


def libraries(isa: str, texts: Sequence[str]) -> list[Library]:
    """The libraries of several sources, compiled side by side, by one process where several ask for them at once.

    Raises:
        NoCompilerError: there is no compiler, or it failed; none is at work any more.
    """
    places = [_place(isa, text)[0] for text in texts]
    found = [_kept(path, compiled=False) for path in places]
    there = [library for library in found if library is not None]
    if len(there) == len(texts):
        return there
    with _alone(places[0]), ExitStack() as jobs:  # whichever is lacking: another may be making that just now
        started = []
        for text in texts:
            started.append(start(isa, text))
            if isinstance(started[-1], Job):
                jobs.enter_context(started[-1])
        return [one.wait() if isinstance(one, Job) else one for one in started]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait for the process that is compiling this; for one that hangs, or without locks, not."""
    lock = path.with_suffix(".lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError:
        yield
        return
    with file:
        for _ in range(round(_PATIENCE / 0.05)):
            if not _locked_by_another(file):
                break
            time.sleep(0.05)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _locked_by_another(file: IO[str]) -> bool:
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            pass
    return False


class Job:
    """A compiler at work, whose end and files the block of a `with` waits for and removes.

    Raises:
        NoCompilerError: the temporary folder cannot be written.
    """

    def __init__(self, path: Path, text: str, command: Sequence[str]) -> None:
        self._path = path
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="ostinato-")
        except OSError as error:
            raise NoCompilerError(f"nowhere to compile: {error.strerror}") from error
        try:
            folder = Path(self._folder.name)
            folder.joinpath("cell.cpp").write_text(text)
            self._made = folder / "cell.so"
            self._process = subprocess.Popen(
                [*command, f"-I{headers()}", str(folder / "cell.cpp"), "-o", str(self._made)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,  # Ctrl-C is for us: a step that is interrupted is still by the kernel
            )
        except OSError as error:
            self._folder.cleanup()
            raise NoCompilerError(f"nowhere to compile: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._folder, self._process:
            pass

    def wait(self) -> Library:
        """What it made, which is in the cache then, where that can be written.

        Raises:
            NoCompilerError: it failed.
        """
        with self._folder:
            output, _ = self._process.communicate()
            if self._process.returncode:
                raise NoCompilerError(f"the compiler failed: {output.strip()[:2000]}")
            _keep(self._made, self._path)
            found = _kept(self._path, compiled=True) or _load(self._made, compiled=True)
            if found is None:
                raise NoCompilerError(f"{self._made} cannot be loaded")
            return found


def _keep(made: Path, path: Path) -> None:
    """Into the cache in one piece, whoever does the same just now; a cache that cannot be written does no harm."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            try:
                code = made.read_bytes()
                file.write(code + hashlib.sha256(code).digest())
                file.flush()
                os.chmod(file.name, 0o755)
                os.replace(file.name, path)
            except OSError:
                os.unlink(file.name)
                raise
    except OSError:
        return


def _kept(path: Path, *, compiled: bool) -> Library | None:
    """From the cache. What is damaged may load and end the process when it is called: a digest follows the code."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return _load(path, compiled=compiled) if hashlib.sha256(content[:-32]).digest() == content[-32:] else None


def _load(path: Path, *, compiled: bool) -> Library | None:
    try:
        return Library(ctypes.CDLL(str(path)), compiled)
    except OSError:
        return None
