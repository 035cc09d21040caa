"""Products in bf16, by torch's switch, as a bf16 module, under autocast: against float64 and against torch."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

import ostinato
from ostinato.cells.form import feeds_back
from ostinato.cells.unroll import unroll
from ostinato.core.registry import lookup, registered
from ostinato.kernels import dispatch, native_calls
from ostinato.kernels import native_cells as native
from ostinato.native import library as native_library
from tests.unit.kernels.test_native import CELLS, ISAS, Problem, _operator_arguments, cell_of

# Rounding to bf16 errs by 2^-9 at most; where both factors are the sum of two, what is left out is 2^-16 of a product.
# The errors of a sum grow with the root of its terms, as the sum itself does; what is left is the way through the
# steps, for which 8 is allowed. A relu whose sum errs across zero loses a gradient whole: 10 times that.
ALLOWED = {"medium": 8 * 2**-9, "high": 8 * 2**-16}


@pytest.fixture(params=ISAS)
def isa(request, library, monkeypatch):
    monkeypatch.setattr(library, "isa", request.param)
    return request.param


@pytest.fixture
def precision():
    """Sets torch's switch, for this test only."""
    before = torch.get_float32_matmul_precision()
    yield torch.set_float32_matmul_precision
    torch.set_float32_matmul_precision(before)


def relative(found: Tensor, expected: Tensor) -> float:
    """Norm of the error by the norm of what is right, taken to be half a unit for each number at least."""
    error = torch.linalg.vector_norm(found.double() - expected)
    return float(error / max(float(torch.linalg.vector_norm(expected)), 0.5 * expected.numel() ** 0.5, 1e-9))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("wanted", ["high", "medium"])
@pytest.mark.usefixtures("poisoned")
def test_every_precision_is_as_close_as_its_numbers_allow(name, wanted, isa, precision):
    allowed = ALLOWED[wanted] * (10 if name == "rnn_relu" else 1)
    precision(wanted)
    # odd and even sizes, rows that fill no tile, more rows than one, more than a chunk of steps
    sizes = [(1, 1, 1, 1), (5, 3, 4, 5), (4, 7, 33, 16), (6, 1, 17, 48), (25, 35, 9, 70), (3, 2, 130, 65)]
    for case, (T, N, D, H) in enumerate(sizes):
        torch.set_num_threads(1 + case % 2)
        problem = Problem(cell_of(name, D, H), T, N, ragged=T > 4)
        found = problem.results(native.run, torch.float32, reverse=T == 6)
        for what, expected in problem.results(unroll, torch.float64, reverse=T == 6).items():
            assert relative(found[what].detach(), expected.detach()) < allowed, (what, T, N, D, H)


@pytest.mark.parametrize("split", [1, 2], ids=["by sequences", "by units"])
@pytest.mark.parametrize("wanted", ["high", "medium"])
def test_both_ways_to_share_the_work(split, wanted, isa, library, monkeypatch, precision):
    torch.set_num_threads(3)
    precision(wanted)
    for entry in ("forward", "backward", "workspace_size"):
        call = getattr(library, entry)

        def forced(run, *args, call=call, **kwargs):
            run.split = split
            return call(run, *args, **kwargs)

        monkeypatch.setattr(library, entry, forced)
    for name in ("lstm", "gru", "rnn"):
        problem = Problem(cell_of(name, 60, 70), 11, 5, ragged=True)
        found = problem.results(native.run, torch.float32)
        for what, expected in problem.results(unroll, torch.float64).items():
            assert relative(found[what].detach(), expected.detach()) < ALLOWED[wanted], (name, what)


def test_switching_torchs_precision_switches_the_products(isa, library, precision):
    problem = Problem(lookup("lstm")(30, 40), 5, 3)
    found = {}
    for wanted in native_library.PRECISIONS:
        precision(wanted)
        found[wanted] = problem.results(native.run, torch.float32)
    for wanted in native_library.PRECISIONS:
        computed = library.precision(wanted)
        for what, tensor in found[wanted].items():
            assert torch.equal(tensor, found[computed][what]), (wanted, computed, what)
            if computed != "highest":
                assert not torch.equal(tensor, found["highest"][what]), (wanted, what)


def test_what_each_instruction_set_can_do(library, monkeypatch):
    expected = {
        "amx": ["highest", "high", "medium"],
        "amx_emulated": ["highest", "high", "medium"],
        "avx512_bf16": ["highest", "highest", "medium"],
        "avx512": ["highest"] * 3,
        "avx2": ["highest"] * 3,
        "baseline": ["highest"] * 3,
    }
    for name in set(expected) & set(library.isas):
        monkeypatch.setattr(library, "isa", name)
        assert [library.precision(wanted) for wanted in native_library.PRECISIONS] == expected[name]
        for cell in library.cells:
            assert [library.precision(wanted, cell) for wanted in native_library.PRECISIONS] == expected[name]


def test_amx_is_tested_by_its_emulation():
    if "amx_emulated" not in ISAS:
        pytest.skip(
            "the library was built without OSTINATO_EMULATE_AMX (make test builds it with), or cannot run it here"
        )
    assert ISAS[-1] == "amx_emulated"  # never chosen but by name


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("wanted", ["high", "medium"])
def test_a_sequence_has_the_same_bits_whatever_its_batch_mates(name, wanted, isa, precision):
    precision(wanted)
    whole = Problem(cell_of(name, 30, 37), 9, 35, ragged=True)
    expected = whole.run(native.run, whole.tensors())
    for threads, rows in [(1, [0]), (2, [20, 3]), (1, list(range(17))), (2, list(range(34, -1, -1)))]:
        torch.set_num_threads(threads)
        part = Problem(cell_of(name, 30, 37), 9, len(rows), ragged=True)
        part.lengths = whole.lengths[rows]
        state = [field[rows] for field in whole.state]
        found = part.run(native.run, [whole.x[:, rows], *state, *whole.p.values()])
        assert torch.equal(found.output, expected.output[:, rows])


@pytest.mark.parametrize("wanted", ["high", "medium"])
def test_not_a_number_stays_in_its_sequence(wanted, isa, precision):
    precision(wanted)
    for name in CELLS:
        problem = Problem(cell_of(name, 5, 20), 4, 3)
        problem.x = problem.x.clone()
        problem.x[2, 1, 0] = torch.nan
        found = problem.results(native.run, torch.float32)
        assert found["output"][2:, 1].isnan().all()
        for what in ("output", "grad x"):
            assert not found[what][:, [0, 2]].isnan().any(), (name, what)


def test_infinity_stays_what_it_is(isa, precision):
    """A saturated gate is a number. Sizes that fill no vector: what pads them would make infinity times zero.

    In "high" it is none: the products of infinity with both parts of a weight may have opposite signs.
    """
    for name in CELLS:
        problem = Problem(cell_of(name, 5, 21), 4, 3)
        problem.x = problem.x.clone()
        problem.x[1, 1, 0] = -torch.inf
        precision("highest")
        expected = problem.results(native.run, torch.float32)
        precision("medium")
        found = problem.results(native.run, torch.float32)
        for what in ("output", "grad x"):
            assert torch.equal(found[what].isnan(), expected[what].isnan()), (name, what)


def errors(layer: Any, x: Tensor, upstream: Tensor, expected: list[Tensor]) -> list[float]:
    return [relative(f, e) for f, e in zip(everything(layer, x, upstream), expected, strict=True)]


def everything(layer: Any, x: Tensor, upstream: Tensor) -> list[Tensor]:
    layer.zero_grad()
    x = x.detach().requires_grad_()
    output, state = layer(x)
    output.backward(upstream.to(output.dtype))
    assert x.grad is not None
    return [output.detach(), *(s.detach() for s in state), x.grad, *(p.grad for p in layer.parameters())]


def test_bf16_errs_no_more_than_torchs(library, precision):
    ours, theirs = ostinato.LSTM(48, 80), torch.nn.LSTM(48, 80)
    theirs.load_state_dict(ours.state_dict())
    x, upstream = torch.randn(30, 16, 48), torch.randn(30, 16, 80)
    expected = everything(copy.deepcopy(ours).double(), x.double(), upstream.double())
    torchs = errors(copy.deepcopy(theirs).bfloat16(), x.bfloat16(), upstream.bfloat16(), expected)
    as_module = errors(copy.deepcopy(ours).bfloat16(), x.bfloat16(), upstream.bfloat16(), expected)
    precision("medium")
    medium = errors(ours, x, upstream, expected)
    for found in (as_module, medium):
        assert max(found) <= max(torchs)
        assert sum(found) <= sum(torchs)


@pytest.mark.parametrize("name", list(registered()))
@pytest.mark.slow
def test_a_bf16_module_keeps_its_dtype(name, isa):
    layer = ostinato.Recurrent(name, 6, 20).bfloat16()
    x = torch.randn(5, 3, 6, dtype=torch.bfloat16, requires_grad=True)
    output, state = layer(x, lengths=torch.tensor([5, 0, 3]))
    output.sum().backward()
    made = [output, *state, x.grad, *(p.grad for p in layer.parameters()), *layer.state_dict().values()]
    assert {tensor.dtype for tensor in made} == {torch.bfloat16}
    again = ostinato.Recurrent(name, 6, 20, dtype=torch.bfloat16)
    again.load_state_dict(layer.state_dict(), strict=True)
    assert torch.equal(again(x)[0], layer(x)[0])


@pytest.mark.parametrize("name", list(registered()))
@pytest.mark.slow
def test_autocast_gives_the_same_dtypes_fused_and_not(name, monkeypatch):
    dropout = 0.1 if feeds_back(lookup(name)(6, 20)) else 0.0
    layer, x = ostinato.Recurrent(name, 6, 20, recurrent_dropout=dropout), torch.randn(5, 3, 6)

    def run() -> tuple[list[Tensor], list[torch.dtype]]:
        layer.zero_grad()
        leaf = x.detach().requires_grad_()
        torch.manual_seed(3)
        with torch.autocast("cpu", torch.bfloat16):
            output, state = layer(leaf)
            layer(output[:, :, :6], state)  # what autocast made is taken as well
        output.float().sum().backward()
        made = [output, *state, leaf.grad, *(p.grad for p in layer.parameters())]
        return made, [tensor.dtype for tensor in made]

    for _ in range(2):
        made, dtypes = run()
        with monkeypatch.context() as patch:
            patch.setattr(dispatch, "IMPLEMENTATIONS", ())
            expected, expected_dtypes = run()
        assert dtypes == expected_dtypes
        fields = len(layer.cell.State._fields)
        assert dtypes == [torch.bfloat16] * (1 + fields) + [torch.float32] * (len(dtypes) - 1 - fields)
        for one, other in zip(
            made, expected, strict=True
        ):  # by norm: the loop itself errs by half a unit here and there
            assert relative(one.float(), other.double()) < 0.1
        layer.recurrent_dropout = 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_stream_computes_in_the_precision_of_its_layer(dtype, library, precision):
    layer, x = ostinato.LSTM(6, 20, num_layers=2, dtype=dtype), torch.randn(5, 3, 6, dtype=dtype)
    stream = layer.stream(3)
    for wanted in ("highest", "medium"):
        precision(wanted)
        stream.reset()
        found = torch.stack([stream.step(x_t) for x_t in x])
        tolerance = 0 if dtype == torch.float32 else 0.03
        torch.testing.assert_close(found, layer(x)[0].detach(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_autocast_gives_the_dtypes_of_torchs_lstm_and_rnn(kind):
    x = torch.randn(4, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        ours, our_state = getattr(ostinato, kind)(3, 5)(x)
        try:
            theirs, their_state = getattr(torch.nn, kind)(3, 5)(x)
        except RuntimeError as error:
            pytest.skip(f"torch has no bfloat16 {kind} on this processor: {error}")
    our_state, their_state = (s if isinstance(s, tuple) else (s,) for s in (our_state, their_state))
    assert ours.dtype == theirs.dtype
    assert [s.dtype for s in our_state] == [s.dtype for s in their_state]


def test_autocast_leaves_float64_alone():
    layer, x = ostinato.LSTM(3, 5).double(), torch.randn(4, 2, 3, dtype=torch.float64)
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = layer(x)
    assert output.dtype == torch.float64


def test_a_compiled_layer_under_autocast(library):
    layer, x = ostinato.LSTM(3, 5), torch.randn(3, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = torch.compile(layer, backend="aot_eager", fullgraph=True)(x)
        expected, _ = layer(x)
    torch.testing.assert_close(output, expected, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_operators_keep_torchs_rules(dtype, library, precision):
    precision("medium")
    cell = lookup("lstm")(3, 16)
    made = _operator_arguments(cell, Problem(cell, 4, 3, noise="mask zoneout"))
    arguments = [a.detach().to(dtype).requires_grad_() if isinstance(a, Tensor) else a for a in made]
    torch.library.opcheck(torch.ops.ostinato.recurrence, (*arguments, False, True))
    detached = [a.detach() if isinstance(a, Tensor) else a for a in arguments]
    output, h, _, every_c, saved = torch.ops.ostinato.recurrence_saving(*detached, False, True)
    upstream = (torch.randn_like(output), torch.randn_like(h), None, torch.randn_like(every_c))
    rest = (False, None, None, None, output.detach(), saved, *upstream, [True] * 12)
    torch.library.opcheck(
        torch.ops.ostinato.recurrence_backward, (*detached, *rest), test_utils=["test_schema", "test_faketensor"]
    )


def test_a_mixture_of_dtypes_is_refused(library):
    cell = lookup("gru")(3, 5)
    arguments = list(_operator_arguments(cell, Problem(cell, 4, 3)))
    arguments[2] = arguments[2].detach().bfloat16()
    with pytest.raises(ValueError, match=r"weight_ih: expected torch.float32 .* got torch.bfloat16"):
        torch.ops.ostinato.recurrence(*arguments, False, False)


def test_a_precision_there_is_not_is_refused(library, monkeypatch):
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "medium")
    monkeypatch.setattr(native_calls, "PRECISIONS", ("highest", "high", "and", "so", "medium"))
    problem = Problem(lookup("gru")(3, 5), 4, 3)
    with pytest.raises(ValueError, match="refuses the precision"):
        problem.run(native.run, problem.tensors())
