"""The exponentials of a softmax against float64, by every instruction set and by torch's operations."""

import pytest
import torch

from ostinato import kernels
from ostinato.native import library as native_library

WIDTHS = [1, 3, 15, 16, 17, 64, 65, 1023, 1024, 1025, 2500]
LOADED = native_library.load()
SUPPORTED = [] if isinstance(LOADED, str) else LOADED.supported


@pytest.fixture(params=[*SUPPORTED, "torch"])
def by(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr("ostinato.kernels.softmax._NATIVE", ())
    else:
        monkeypatch.setattr(LOADED, "isa", request.param)


def draw(rows, width, dtype, spread=6.0):
    return (spread * torch.randn(rows, width)).to(dtype), torch.rand(rows)


def expected(scores, weights):
    scores = scores.double()
    largest = scores.amax(1)
    found = (scores - largest[:, None]).exp()
    probabilities = found / found.sum(1, keepdim=True)
    return found, largest, found.sum(1), probabilities.T @ weights.double()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("rows", [1, 2, 67])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_definition(by, width, rows, dtype, poisoned):
    scores, weights = draw(rows, width, dtype)
    exact, largest, sums, total = expected(scores, weights)
    found = kernels.exponentials(scores, weights)
    torch.testing.assert_close(found.largest.double(), largest, rtol=0, atol=0)
    torch.testing.assert_close(found.sums.double(), sums, rtol=2e-6, atol=0)
    rounding = {torch.float32: 4e-7, torch.bfloat16: 2**-8}[dtype]
    allowed = exact * (rounding - 1.2e-7 * exact.log())  # the exponent itself is rounded
    assert ((scores.double() - exact).abs() <= allowed).all()
    torch.testing.assert_close(found.total.double(), total, rtol=max(rounding, 2e-6), atol=1e-7)


def test_bfloat16_is_rounded_to_the_nearest(by):
    scores, _ = draw(5, 1000, torch.bfloat16)
    wide = scores.float()
    kernels.exponentials(scores)
    kernels.exponentials(wide)
    torch.testing.assert_close(scores, wide.bfloat16(), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_what_is_next_to_nothing_and_what_is_no_number(by, dtype):
    inf, nan = float("inf"), float("nan")
    scores = torch.full((6, 40), -3.0, dtype=dtype)
    scores[0, 7], scores[1, 39], scores[2, 3], scores[3, 33], scores[4, 0] = -inf, 3e38, nan, inf, -1e30
    scores[5] = -inf
    found = kernels.exponentials(scores, torch.ones(6))
    assert found.sums[[0, 1, 4]].tolist() == [39, 1, 39]
    assert scores[0, 7] == scores[1, 0] == scores[4, 0] == 0
    assert found.sums[[2, 3, 5]].isnan().all()
    assert found.total.isnan().any()


@pytest.mark.parametrize("by", SUPPORTED, indirect=True)
def test_the_same_bits_by_any_number_of_threads(by):
    scores, weights = draw(130, 3001, torch.float32)
    total, results = expected(scores, weights)[-1], []
    for threads in (1, 2, 3, 200):
        torch.set_num_threads(threads)
        own = scores.clone()
        *found, added_up = kernels.exponentials(own, weights)  # by each thread its own rows
        results.append((own, *found))
        torch.testing.assert_close(added_up.double(), total, rtol=2e-6, atol=1e-7)
    for result in results[1:]:
        assert all(map(torch.equal, results[0], result))


def test_a_long_row_loses_no_digits(by):
    scores = torch.zeros(2, 250_000)
    scores[1] = torch.linspace(-1, 0, 250_000)
    exact = expected(scores, torch.ones(2))
    found = kernels.exponentials(scores, torch.ones(2))
    torch.testing.assert_close(found.sums.double(), exact[2], rtol=1e-6, atol=0)


def test_many_rows_lose_no_digits(by):
    scores, weights = torch.zeros(20_000, 4), torch.full((20_000,), 0.1)
    found = kernels.exponentials(scores, weights)
    torch.testing.assert_close(found.total.double(), torch.full((4,), 500.0, dtype=torch.float64), rtol=5e-6, atol=0)


@pytest.mark.parametrize("kind", ["float64", "float16", "strided", "no rows"])
def test_other_tensors(kind):
    scores, weights = draw(0 if kind == "no rows" else 9, 70, torch.float16 if kind == "float16" else torch.float64)
    if kind in ("strided", "no rows"):
        scores = scores.float()
    if kind == "strided":
        scores = scores.T.contiguous().T
    exact = expected(scores, weights)
    found = kernels.exponentials(scores, weights)
    close = {"rtol": 1e-3 if kind == "float16" else 2e-6, "atol": 1e-6}
    for one, other in zip((scores, *found), exact, strict=True):
        torch.testing.assert_close(one.double(), other, **close)


@pytest.mark.skipif(not SUPPORTED, reason="the native library was not built")
def test_a_size_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"refuses the size in isa=\d+, .*M=2, V=0"):
        kernels.exponentials(torch.zeros(2, 0))
