"""The OpenMP runtime by whose threads the kernels run: the one that the process has, or will have with torch.

No library of ours is linked with one. Each runtime keeps threads of its own, which spin for a while after their work:
two in one process take the processors from each other. torch brings one, whose name differs from release to release.
"""

import ctypes
import sys
from collections.abc import Iterator
from ctypes import c_char_p, c_void_p
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

# GNU's interface, which LLVM's and Intel's runtimes have as well.
_FUNCTIONS = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
_NAMES = ("libomp.dylib",) if sys.platform == "darwin" else ("libgomp.so.1", "libomp.so.5", "libomp.so")


class Runtime(NamedTuple):
    """A runtime that is loaded.

    Attributes:
        functions: addresses of GOMP_parallel, omp_get_thread_num and omp_get_num_threads.
        path: the file it came from.
    """

    functions: tuple[int | None, ...]
    path: str


class _Origin(ctypes.Structure):
    """`Dl_info` of dladdr."""

    _fields_ = (("file", c_char_p), ("base", c_void_p), ("name", c_char_p), ("address", c_void_p))


@cache
def runtime() -> Runtime | None:
    """The first that there is of what all of the process sees (torch's, once it is imported), what lies beside torch,
    and the system's; None where there is none, and the kernels have one thread."""
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
            functions = tuple(ctypes.cast(getattr(library, function), c_void_p).value for function in _FUNCTIONS)
        except (OSError, AttributeError):
            continue
        return Runtime(functions, _origin(functions[0]) or name or "")
    return None


def _candidates() -> Iterator[str | None]:
    yield None  # what is loaded for all to see
    spec = find_spec("torch")  # found, not imported
    if spec:
        from pathlib import Path  # where torch is, it is there too
    for folder in (spec and spec.submodule_search_locations) or ():
        for pattern in ("libgomp*.so*", "libomp*.dylib", "libiomp5.*"):
            yield from map(str, sorted(Path(folder, "lib").glob(pattern)))
    yield from _NAMES


def _origin(address: int | None) -> str:
    found = _Origin()
    try:
        there = ctypes.CDLL(None).dladdr(c_void_p(address), ctypes.byref(found))
    except (OSError, AttributeError):
        return ""
    return (found.file or b"").decode(errors="replace") if there else ""
