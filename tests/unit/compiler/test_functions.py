"""Functions of vectors against float64, over all of float32: infinities, NaN, tiny and huge arguments."""

import ctypes
import math

import numpy as np
import pytest
import torch

from ostinato.compiler import build
from ostinato.native import library as native_library

NORMAL = 2.0**-126
# Of each function: what it is, how many units in the last place it may be off, and how far besides.
ONE = {
    "sigmoid": (torch.sigmoid, 4, 1.7e-38),  # never below e^-87
    "tanh": (torch.tanh, 7, 0),
    "exponential_of": (torch.exp, 1, 0),
    "log": (torch.log, 1, 0),
    "log1p": (torch.log1p, 3, 0),
    "expm1": (torch.expm1, 6, 0),
    "softplus": (lambda x: torch.logaddexp(x, torch.zeros_like(x)), 3, 0),
    "sin": (torch.sin, 2, 1.5e-9),
    "cos": (torch.cos, 2, 1.5e-9),
    "erf": (torch.erf, 2, 0),
    "sqrt": (torch.sqrt, 0.5, 0),
    "rsqrt": (torch.rsqrt, 2, 0),
    "absolute": (torch.abs, 0, 0),
    "sign": (lambda x: torch.where(x.isnan(), x, x.sign()), 0, 0),
}
TWO = {
    "power": (torch.pow, 1, 0),
    "smaller_of": (torch.minimum, 0, 0),
    "larger_of": (torch.maximum, 0, 0),
    "quotient_of": (torch.div, 0.51, 0),
    "less": (torch.lt, 0, 0),
    "less_equal": (torch.le, 0, 0),
    "equal": (torch.eq, 0, 0),
}
SPECIAL = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 88.5, 104.0, 8191.0, 8193.0, 2.0**23 - 0.5, 2.0**24 - 1, 2.0**24, 1e30, 3.4e38]
SPECIAL += [1e-45, 1e-40, NORMAL, 2.0**-24, 1 + 2.0**-23, 1 - 2.0**-24, math.inf, math.nan]


def _numbers(count):
    """As many of all of float32, those that matter to most functions more densely, and the special ones."""
    bits = np.linspace(0, 2**32 - 1, count).astype(np.uint32).view(np.float32)
    dense = [np.linspace(-limit, limit, count // 4) for limit in (2, 110, 8192)]
    return np.concatenate([bits, np.concatenate([*dense, SPECIAL, np.negative(SPECIAL)]).astype(np.float32)])


@pytest.fixture(scope="module", params=["best", "baseline"])
def functions(request):
    """All of them, compiled for this machine's best instruction set or for that of all machines."""
    if isinstance(library := native_library.load(), str):
        pytest.skip(library)
    isa = library.isa if request.param == "best" or library.isa in ("neon", "generic") else "baseline"
    lines = ["#define OSTINATO_ISA tested", '#include "functions.h"', "namespace ostinato { namespace OSTINATO_ISA {"]
    for names, call in ((ONE, "load(a + i)"), (TWO, "load(a + i), load(b + i)")):
        lines += [
            f'extern "C" __attribute__((visibility("default"))) void {name}_all(const float* a, const float* b,'
            f" float* c, int64_t n) {{ for (int64_t i = 0; i < n; i += W) store(c + i, {name}({call})); }}"
            for name in names
        ]
    (library,) = build.libraries(isa, ["\n".join([*lines, "}}", ""])])
    handle = library.handle

    def call(name, *operands):
        padded = [np.resize(one, -(-one.size // 16) * 16) for one in operands]
        result = np.empty_like(padded[0])
        addresses = [ctypes.c_void_p(one.ctypes.data) for one in (padded[0], padded[-1], result)]
        getattr(handle, f"{name}_all")(*addresses, ctypes.c_int64(result.size))
        return result[: operands[0].size]

    return call


def _compare(found, wanted, ulps, absolute):
    exact = wanted.double().numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = exact.astype(np.float32)
        unit = np.spacing(np.minimum(np.abs(rounded), np.finfo(np.float32).max)).astype(np.float64)
        same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
        near = np.abs(found - exact) <= np.maximum(ulps * unit, absolute)
    return same | near


@pytest.mark.parametrize("name", ONE)
def test_of_one_number(functions, name):
    function, ulps, absolute = ONE[name]
    x = _numbers(40_000)
    found = functions(name, x)
    right = _compare(found, function(torch.from_numpy(x).double()), ulps, absolute)
    assert right.all(), list(zip(x[~right], found[~right], strict=True))[:5]


@pytest.mark.parametrize("name", TWO)
def test_of_two_numbers(functions, name):
    function, ulps, absolute = TWO[name]
    few = np.array(
        [*SPECIAL, *np.negative(SPECIAL), *np.linspace(-20, 20, 41), *np.geomspace(1e-9, 1e9, 60)], np.float32
    )
    x, y = (one.ravel() for one in np.meshgrid(few, few))
    found = functions(name, x, y)
    right = _compare(found, function(torch.from_numpy(x).double(), torch.from_numpy(y).double()), ulps, absolute)
    assert right.all(), list(zip(x[~right], y[~right], found[~right], strict=True))[:5]
