"""Resets inside a sequence: each document is what it is alone, forward and backward, for every cell that runs fused."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostinato.cells.noise import StateNoise
from ostinato.cells.resets import Resets, seen_from_the_end
from ostinato.cells.unroll import unroll
from ostinato.core.registry import lookup
from ostinato.kernels import native_cells as native
from ostinato.kernels import torch_fused
from ostinato.kernels.native_calls import DIFFERENTIABLE
from ostinato.kernels.recompute import run_recomputing
from ostinato.kernels.request import Request
from ostinato.native.operands import RUN
from tests.unit.kernels.test_native import CELLS, ISAS, Problem, cell_of

PATTERNS = ["some", "first", "last", "consecutive", "all", "none"]


class Restarted(Problem):
    """A run with resets, to a state of its own by which there are gradients too."""

    def __init__(self, cell, T, N, *, pattern="some", **options):
        super().__init__(cell, T, N, **options)
        self.before = resets_of(pattern, T, N)
        self.anew = cell.State(*map(torch.randn_like, self.state))

    def tensors(self):
        return [*super().tensors(), *self.anew]

    def run(self, implementation, tensors, **options):
        fields = len(self.anew)
        resets = Resets(self.before, self.cell.State(*tensors[-fields:]))
        return super().run(implementation, tensors[:-fields], resets=resets, **options)

    def names(self):
        return [*super().names(), *(f"reset {field}" for field in self.anew._fields)]


def resets_of(pattern, T, N):
    before = torch.zeros(T, N, dtype=torch.bool)
    if pattern == "some":
        before = torch.rand(T, N) < 0.3
    elif pattern == "first":
        before[:1] = True
    elif pattern == "last":
        before[-1:] = True
    elif pattern == "consecutive":
        before[T // 3 : T // 3 + 3] = True
    elif pattern == "all":
        before[:] = True
    return before


@pytest.fixture(params=ISAS)
def isa(request, library, monkeypatch):
    monkeypatch.setattr(library, "isa", request.param)
    return request.param


def documents(before, length, reverse):
    """Begin and end of each stretch that is run from one state, in the order of the run."""
    steps = list(range(length))[:: -1 if reverse else 1]
    found = []
    for t in steps:
        if not found or before[t]:
            found.append([])
        found[-1].append(t)
    return [(min(one), max(one) + 1, bool(before[one[0]])) for one in found]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("noise", ["", "mask zoneout"])
def test_the_reference_runs_each_document_from_the_state_at_its_reset(pattern, reverse, noise):
    problem = Restarted(lookup("lstm")(3, 4), 9, 5, pattern=pattern, ragged=True, noise=noise)
    leaves = [tensor.detach().double().requires_grad_() for tensor in problem.tensors()]
    ran = problem.run(unroll, leaves, reverse=reverse)
    x, h, c, *p, anew_h, anew_c = leaves
    p, state = dict(zip(problem.p, p, strict=True)), problem.cell.State
    outputs, finals = torch.zeros_like(ran.output), [h.clone(), c.clone()]
    for n, length in enumerate(problem.lengths.tolist()):
        row = state(h[n : n + 1], c[n : n + 1])
        for begin, end, anew in documents(problem.before[:, n], length, reverse):
            if anew:
                row = state(anew_h[n : n + 1], anew_c[n : n + 1])
            own = problem.noise.to(torch.float64)
            if own:
                held = [share[begin:end, n : n + 1] for share in own.zoneout]
                own = StateNoise(own.recurrent_mask[n : n + 1], held)
            alone = unroll(problem.cell, p, x[begin:end, n : n + 1], row, reverse=reverse, noise=own)
            outputs[begin:end, n : n + 1], row = alone.output, alone.final
        finals = [torch.cat((f[:n], r, f[n + 1 :])) for f, r in zip(finals, row, strict=True)]
    upstream = [torch.randn_like(outputs), *map(torch.randn_like, finals)]
    for one, other in zip((ran.output, *ran.final), (outputs, *finals), strict=True):
        torch.testing.assert_close(one, other)
    found = torch.autograd.grad((ran.output, *ran.final), leaves, upstream)
    expected = torch.autograd.grad((outputs, *finals), leaves, upstream, allow_unused=True)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, torch.zeros_like(one) if other is None else other)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(
    ("threads", "ragged", "noise"),
    [
        pytest.param(1, False, "", marks=pytest.mark.slow),
        (2, True, ""),
        pytest.param(2, True, "mask zoneout", marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("poisoned")
def test_every_instruction_set_computes_the_reference(name, threads, ragged, noise, isa):
    torch.set_num_threads(threads)
    for T, N, D, H in [(4, 7, 33, 16), (12, 9, 9, 40)]:
        for reverse in (False, True):
            problem = Restarted(cell_of(name, D, H), T, N, ragged=ragged, noise=noise)
            problem.check(reverse=reverse, keep_states=True)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("pattern", PATTERNS[1:])
@pytest.mark.usefixtures("poisoned")
def test_where_resets_lie(name, pattern, library):
    torch.set_num_threads(2)
    for reverse in (False, True):
        Restarted(cell_of(name, 5, 19), 6, 7, ragged=True, pattern=pattern).check(reverse=reverse)


@pytest.mark.parametrize("name", CELLS)
def test_without_a_single_one_the_bits_are_those_of_no_resets(name, library):
    problem = Restarted(cell_of(name, 5, 19), 6, 7, pattern="none")
    found = problem.results(native.run, torch.float32)
    plain = Problem.results(Without(problem), native.run, torch.float32)
    for key, expected in plain.items():
        assert torch.equal(found[key], expected), key


class Without(Problem):
    """The same run without resets."""

    def __init__(self, other):
        for name in ("cell", "p", "x", "state", "lengths", "noise"):
            setattr(self, name, getattr(other, name))


@given(
    T=st.integers(0, 40),
    N=st.integers(0, 20),
    H=st.integers(1, 40),
    name=st.sampled_from(CELLS or ["lstm"]),
    threads=st.integers(1, 3),
    share=st.sampled_from([0.02, 0.3, 0.9]),
    ragged=st.booleans(),
    reverse=st.booleans(),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_resets(library, T, N, H, name, threads, share, ragged, reverse, seed):
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    problem = Restarted(cell_of(name, 3, H), T, N, ragged=ragged)
    problem.before = torch.rand(T, N) < share
    problem.check(reverse=reverse)


@pytest.mark.parametrize("name", ["lstm", "gru_reset_before"])
@pytest.mark.parametrize("reverse", [False, True])
def test_recomputed_pieces_start_anew_where_the_whole_does(name, reverse, library):
    problem = Restarted(cell_of(name, 3, 5), 11, 4, ragged=True)
    found = problem.results(lambda *a, **k: run_recomputing(*a, every=3, **k), torch.float32, reverse=reverse)
    for key, expected in problem.results(unroll, torch.float64, reverse=reverse).items():
        torch.testing.assert_close(found[key], expected.float(), atol=2e-5, rtol=1e-5, msg=key)


def test_gradients_of_gradients(library):
    problem = Restarted(cell_of("gru", 2, 3), 4, 2)
    leaves = [tensor.detach().requires_grad_() for tensor in problem.tensors()]

    def again(run):
        loss = problem.run(run, leaves).output.square().sum()
        grads = torch.autograd.grad(loss, leaves, create_graph=True)
        return torch.autograd.grad(sum(grad.square().sum() for grad in grads), leaves)

    for found, expected in zip(again(native.run), again(unroll), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_bfloat16_keeps_the_borders(library):
    problem = Restarted(cell_of("lstm", 8, 32), 12, 5)
    found = problem.results(native.run, torch.bfloat16)
    for key, expected in problem.results(unroll, torch.float64).items():
        scale = max(1.0, float(expected.detach().abs().max()))
        assert float((found[key].detach() - expected.detach()).abs().max()) <= 0.06 * scale, key


def test_the_operator_takes_them(library):
    problem = Restarted(cell_of("lstm", 3, 5), 6, 4, ragged=True)
    given = native.inputs(
        problem.cell, problem.p, problem.x, problem.state, problem.lengths, resets=Resets(problem.before, problem.anew)
    )
    leaves = {row.name: getattr(given, row.name) for row in DIFFERENTIABLE}
    given = given._replace(**{name: t.clone().requires_grad_() for name, t in leaves.items() if t is not None})
    arguments = (*given[: RUN.first], True, *given[RUN.first :])
    torch.library.opcheck(torch.ops.ostinato.recurrence, arguments)


def test_others_refuse_and_say_why(library):
    request = Request(torch.float32, "cpu", 5, resets=True)
    assert torch_fused.refuses(cell_of("lstm", 3, 5), request) == "no resets"
    assert native.refuses(cell_of("lstm", 3, 5), request) is None


def test_seen_from_the_end_a_document_begins_at_its_last_step():
    before = torch.tensor([[1, 0, 0, 1, 1, 0], [0, 0, 1, 0, 0, 1]], dtype=torch.bool).T
    assert seen_from_the_end(before, None).T.int().tolist() == [[0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 0]]
    # beyond a length there is no next document
    assert seen_from_the_end(before, torch.tensor([4, 2])).T.int().tolist() == [[0, 0, 1, 0, 0, 0], [0] * 6]
    assert seen_from_the_end(before[:0], None).shape == (0, 2)
