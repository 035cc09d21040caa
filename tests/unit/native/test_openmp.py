"""Whose threads the kernels run on: one runtime in a process, whoever comes first, and none needed."""

import ctypes
import sys

import pytest

from ostinato.native import openmp
from tests.unit.native.test_library import run_python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

LOADED = "print(*{line.split()[-1] for line in open('/proc/self/maps') if 'omp' in line and '.so' in line})\n"


@pytest.mark.parametrize("order", [("torch", "ostinato.native.library"), ("ostinato.native.library", "torch")])
@pytest.mark.slow
def test_there_is_one_runtime_in_whichever_order(library, order):
    first, second = order
    load = "import ostinato.native.library as native; found = native.load()\n"
    lines = {"torch": "import torch\n", "ostinato.native.library": load}
    show = "from ostinato.native.openmp import runtime; print(runtime().path)\n"
    ran = run_python(lines[first] + lines[second] + show + LOADED)
    told, *loaded = ran.stdout.split()
    assert loaded == [told], ran.stdout + ran.stderr


def test_without_a_runtime_the_numbers_are_the_same(library):
    script = (
        "import torch, ostinato\n"
        "from ostinato.native import openmp, library\n"
        "torch.set_num_threads(2); torch.manual_seed(0)\n"
        "layer, x = ostinato.LSTM(64, 64), torch.randn(50, 16, 64)\n"
        "with torch.no_grad():\n"
        "    together = layer(x)[0]\n"
        "    native = library.load()\n"
        "    native._library.ostinato_use_openmp(None, None, None)\n"
        "    alone = layer(x)[0]\n"
        "print(torch.equal(together, alone))\n"
    )
    ran = run_python(script)
    assert ran.stdout.split() == ["True"], ran.stderr


@pytest.fixture
def nothing_found(monkeypatch):
    openmp.runtime.cache_clear()
    monkeypatch.setattr(openmp, "_candidates", lambda: iter(["libno-such-runtime.so.1"]))
    yield
    openmp.runtime.cache_clear()


def test_none_is_found(nothing_found):
    assert openmp.runtime() is None


def test_a_library_without_its_functions_is_none(nothing_found, monkeypatch):
    monkeypatch.setattr(openmp, "_candidates", lambda: iter(["libm.so.6"]))
    assert openmp.runtime() is None


def test_what_is_found_starts_threads():
    """GOMP_parallel of it, called from here: each number is seen once."""
    found = openmp.runtime()
    if found is None:
        pytest.skip("no OpenMP runtime")
    number = ctypes.CFUNCTYPE(ctypes.c_int)(found.functions[1])
    count = ctypes.CFUNCTYPE(ctypes.c_int)(found.functions[2])
    seen = []
    body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: seen.append((number(), count())))
    start = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)(found.functions[0])
    start(ctypes.cast(body, ctypes.c_void_p), None, 3, 0)
    assert sorted(seen) == [(0, 3), (1, 3), (2, 3)]
