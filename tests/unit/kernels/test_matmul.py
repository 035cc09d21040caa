"""Products of matrices against float64, by every instruction set and by torch's operations."""

import itertools

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ostinato import kernels
from ostinato.kernels import matmul
from ostinato.native import library as native_library

LOADED = native_library.load()
SUPPORTED = [] if isinstance(LOADED, str) else LOADED.supported
SIZES = [(1, 1, 1), (7, 33, 5), (50, 100, 400), (13, 17, 0), (0, 5, 3), (97, 130, 800), (20, 1500, 77)]


@pytest.fixture(params=[*SUPPORTED, "torch"])
def by(request, monkeypatch):
    monkeypatch.setattr(matmul, "_is_faster", lambda library, isa: request.param != "torch")
    if request.param != "torch":
        monkeypatch.setattr(LOADED, "isa", request.param)
    return request.param


def lies(rows, columns, transposed, within=0):
    """A matrix, row by row in memory or column by column, maybe within a larger one."""
    if transposed:
        return lies(columns, rows, False, within).T
    return torch.randn(rows, columns + within)[:, :columns]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("within", [0, 3])
def test_the_definition(by, sizes, within, poisoned):
    M, N, K = sizes
    for transposed, also, add, shifted in itertools.product([False, True], repeat=4):
        a, b = lies(M, K, transposed, within), lies(K, N, also, within)
        into, bias = lies(M, N, False, within), torch.randn(N) if shifted else None
        expected = a.double() @ b.double() + (bias.double() if shifted else 0) + (into.double() if add else 0)
        kernels.multiply(a, b, into, bias=bias, add=add)
        torch.testing.assert_close(into.double(), expected, rtol=1e-5, atol=1e-5 * (1 + K**0.5))


@pytest.mark.parametrize("threads", [1, 3])
def test_bits_do_not_depend_on_other_rows_and_columns_or_threads(by, threads, with_threads):
    if by == "torch":
        pytest.skip("torch promises nothing")
    a, b = torch.randn(61, 500), torch.randn(500, 1300)
    with_threads(1)
    alone = torch.empty(61, 1300)
    kernels.multiply(a, b, alone)
    with_threads(threads)
    for rows, columns in (
        (slice(5, 6), slice(0, 1300)),
        (slice(0, 61), slice(7, 90)),
        (slice(2, 40), slice(100, 1299)),
    ):
        some = torch.empty(len(a[rows]), b[:, columns].shape[1])
        kernels.multiply(a[rows], b[:, columns], some)
        assert torch.equal(some, alone[rows, columns])


@pytest.fixture
def with_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7, 64])
@pytest.mark.parametrize("width", [1, 33, 512])
@pytest.mark.parametrize("shifted", [False, True])
def test_each_row_is_its_own(by, rows, width, shifted, monkeypatch):
    if by == "torch":
        monkeypatch.setattr(matmul, "_takes", lambda *tensors: False)
    x, weight, bias = (
        torch.randn(rows, width),
        nn.Parameter(torch.randn(101, width)),
        torch.randn(101) if shifted else None,
    )
    with torch.no_grad():
        found = matmul.rows(x, weight, bias)
        expected = nn.functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)
        for row in range(rows):
            assert torch.equal(matmul.rows(x[row : row + 1], weight, bias)[0], found[row])


def test_what_the_library_does_not_take_is_torchs(by):
    a, b = torch.randn(6, 8), torch.randn(8, 4)
    for dtype in (torch.float64, torch.bfloat16):
        into = torch.empty(6, 4, dtype=dtype)
        kernels.multiply(a.to(dtype), b.to(dtype), into)
        torch.testing.assert_close(into, a.to(dtype) @ b.to(dtype))
    wide = torch.ones(6, 4)
    kernels.multiply(a.bfloat16(), b.bfloat16(), wide, add=True)
    torch.testing.assert_close(wide, 1 + (a.bfloat16() @ b.bfloat16()).float())
    spread = torch.randn(6, 16)[:, ::2]
    into = torch.empty(6, 4)
    kernels.multiply(spread, b, into)
    torch.testing.assert_close(into, spread @ b)


def test_who_counts_sees_the_product(by):
    a, b, into = torch.randn(6, 8), torch.randn(8, 4), torch.empty(6, 4)
    with FlopCounterMode(display=False) as counter:
        kernels.multiply(a, b, into)
    assert counter.get_total_flops() == 2 * 6 * 8 * 4
