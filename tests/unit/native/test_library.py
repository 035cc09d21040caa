"""Loading the library and choosing an instruction set."""

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ostinato.native import header
from ostinato.native import library as native_library
from ostinato.native.library import Run, Softmax


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("structure", [Run, Softmax])
def test_the_declared_structure_is_that_of_the_header(structure):
    body = re.search(rf"typedef struct \{{([^}}]*)\}} ostinato_{structure.__name__.lower()};", header.PATH.read_text())
    assert body is not None
    declarations = re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL).split(";")
    names, kinds = [], []
    for declaration in filter(None, map(str.strip, declarations)):
        kind, rest = re.fullmatch(r"(const \w+|\w+)\s+(.*)", declaration, re.DOTALL).groups()
        for name in rest.split(","):
            names.append(name.strip(" *\n"))
            kinds.append(ctypes.c_void_p if "*" in name else ctypes.c_int64)
            assert ("*" in name) or kind == "int64_t"
    assert [(name, kind) for name, kind in zip(names, kinds, strict=True)] == structure._fields_


def test_the_header_is_that_of_the_tables():
    """`make kernels` writes it."""
    assert header.PATH.read_text(encoding="utf-8") == header.text()


def test_the_best_instruction_set_is_used(library):
    assert library.supported[0] in library.isas
    assert set(library.supported) <= set(library.isas)


SHOW = "from ostinato.native import library as native_library; print(native_library.load().isa)"


def test_an_instruction_set_can_be_forced(library):
    for name in library.supported:
        ran = run_python(SHOW, OSTINATO_ISA=name)
        assert ran.stdout.strip() == name, ran.stderr


def test_an_unknown_instruction_set_is_refused(library):
    ran = run_python(SHOW, OSTINATO_ISA="mmx")
    assert ran.returncode
    assert "OSTINATO_ISA=mmx: there is no such instruction set" in ran.stderr
    assert ", ".join(library.supported) in ran.stderr


def test_an_instruction_set_the_machine_lacks_is_refused(library, monkeypatch):
    monkeypatch.setattr(library, "supported", ("baseline",))
    with pytest.raises(native_library.ConfigError, match="OSTINATO_ISA=avx2: this machine cannot run it"):
        library._choose("avx2")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into what Linux loads")
def test_the_library_needs_no_cpp_runtime(library):
    """Which a machine without torch may lack."""
    assert b"libstdc++" not in Path(library._library._name).read_bytes()
