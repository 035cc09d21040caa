"""The native kernels against the reference in float64: every instruction set, thread count, shape and stride."""

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import ostinato
from ostinato.cells import form
from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.unroll import Unrolled, unroll
from ostinato.core.registry import lookup
from ostinato.kernels import native_cells as native
from ostinato.native import library as native_library

LIBRARY = native_library.load()
CELLS = [] if isinstance(LIBRARY, str) else list(LIBRARY.cells)
ISAS = [] if isinstance(LIBRARY, str) else list(LIBRARY.supported)


def cell_of(name: str, D: int, H: int, bias: bool = True) -> Cell:
    """A cell by its name in the library, an output layer narrower than its units where it has one."""
    options = {"lstm_projected": {"proj_size": 2 * H // 3}, "jordan": {"output_units": (H + 3) // 2}}
    return lookup(name.removesuffix("_projected"))(D, H, bias=bias, **options.get(name, {}))


class Problem:
    """Random tensors for one run, in float32; deliberately awkward strides where asked for."""

    def __init__(
        self,
        cell: Cell,
        T: int,
        N: int,
        *,
        ragged: bool = False,
        batch_first: bool = False,
        gap: int = 0,
        noise: str = "",
    ):
        self.cell, D = cell, cell.input_size
        self.p = {n: torch.randn(d.shape) / cell.hidden_size**0.5 for n, d in cell.parameters().items()}
        wide = torch.randn(N, T, D + gap).transpose(0, 1) if batch_first else torch.randn(T, N, D + gap)
        self.x = wide[..., :D]
        self.state = cell.State(*(torch.randn_like(field) for field in cell.initial_state(N, self.x)))
        self.lengths = torch.randint(0, T + 1, (N,)) if ragged else None
        rates = {"recurrent_dropout": 0.3 * ("mask" in noise), "zoneout": 0.4 * ("zoneout" in noise)}
        self.noise = StateNoise.draw(self.state, T, **rates, training="share" not in noise)

    def tensors(self) -> list[Tensor]:
        return [self.x, *self.state, *self.p.values()]

    def names(self) -> list[str]:
        """Of the tensors."""
        return ["x", *self.state._fields, *self.p]

    def run(self, implementation: Any, tensors: list[Tensor], **kwargs: Any) -> Unrolled:
        x, *rest = tensors
        state, p = rest[: len(self.state)], rest[len(self.state) :]
        names = dict(zip(self.p, p, strict=True))
        noise = StateNoise(
            None if self.noise.recurrent_mask is None else self.noise.recurrent_mask.to(x.dtype),
            None if self.noise.zoneout is None else [share.to(x.dtype) for share in self.noise.zoneout],
        )
        state = self.cell.State(*state)
        return implementation(self.cell, names, x, state, lengths=self.lengths, noise=noise, **kwargs)

    def results(self, implementation: Any, dtype: torch.dtype, **kwargs: Any) -> dict[str, Tensor]:
        """Outputs, final state, every step's and all gradients, from random upstream gradients of every output."""
        leaves = [tensor.detach().to(dtype).requires_grad_() for tensor in self.tensors()]
        ran = self.run(implementation, leaves, **kwargs)
        outputs = (ran.output, *ran.final, *(ran.states or ()))
        generator = torch.Generator().manual_seed(1)
        pairs = [(out, torch.randn(out.shape, generator=generator).to(dtype)) for out in outputs]
        # the reference's output of no steps depends on nothing
        outs, upstream = zip(*((out, up) for out, up in pairs if out.requires_grad), strict=True)
        grads = torch.autograd.grad(outs, leaves, upstream, allow_unused=True)
        fields = self.state._fields
        names = ["output", *(f"final {f}" for f in fields), *(f"every {f}" for f in fields if ran.states)]
        names += [f"grad {name}" for name in self.names()]
        # what nothing depends on (weights of an empty sequence) has a gradient of zero
        grads = tuple(torch.zeros_like(leaf) if g is None else g for g, leaf in zip(grads, leaves, strict=True))
        return dict(zip(names, (*outputs, *grads), strict=True))

    def check(self, tolerance: float = 2e-5, **kwargs: Any) -> None:
        found = self.results(native.run, torch.float32, **kwargs)
        for name, expected in self.results(unroll, torch.float64, **kwargs).items():
            scale = max(1.0, float(expected.detach().abs().max())) if expected.numel() else 1.0
            difference = (found[name].detach() - expected.detach()).abs()
            assert found[name].shape == expected.shape, name
            assert bool((difference <= tolerance * scale).all()), (
                f"{name}: {float(difference.max()):.3g} of {scale:.3g}"
            )


@pytest.fixture(params=ISAS)
def isa(request, library, monkeypatch):
    monkeypatch.setattr(library, "isa", request.param)
    return request.param


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(
    ("threads", "ragged"),
    [
        pytest.param(1, False, id="1-full"),
        pytest.param(2, True, id="2-ragged"),
        pytest.param(1, True, id="1-ragged", marks=pytest.mark.slow),
        pytest.param(2, False, id="2-full", marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("poisoned")
def test_every_instruction_set_computes_the_reference(name, threads, ragged, isa):
    torch.set_num_threads(threads)
    # below, at and above a vector register; one sequence, as many as a tile, more than a chunk of steps
    for T, N, D, H in [(1, 1, 1, 1), (5, 3, 4, 5), (4, 7, 33, 16), (6, 1, 17, 48), (25, 13, 9, 70), (3, 2, 130, 65)]:
        for reverse in (False, True):
            Problem(cell_of(name, D, H), T, N, ragged=ragged).check(reverse=reverse)
    Problem(cell_of(name, 6, 20, bias=False), 5, 4, ragged=ragged).check()


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(
    "noise",
    ["mask zoneout", "zoneout share", *(pytest.param(one, marks=pytest.mark.slow) for one in ("mask", "zoneout"))],
)
@pytest.mark.usefixtures("poisoned")
def test_noise_is_the_reference_s(name, noise, isa):
    torch.set_num_threads(2)
    for T, N, D, H in [(1, 1, 1, 1), (5, 3, 4, 5), (4, 7, 33, 16), (12, 13, 9, 70)]:
        for ragged in (False, True):
            Problem(cell_of(name, D, H), T, N, ragged=ragged, noise=noise).check(reverse=ragged)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("noise", ["", "zoneout"])
@pytest.mark.usefixtures("poisoned")
def test_the_state_of_every_step(name, noise, isa):
    for ragged, reverse in [(False, False), (True, False), (True, True)]:
        Problem(cell_of(name, 5, 19), 6, 7, ragged=ragged, noise=noise).check(reverse=reverse, keep_states=True)


@pytest.mark.parametrize("name", CELLS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    T=st.integers(0, 9),
    N=st.integers(0, 9),
    D=st.integers(1, 40),
    H=st.integers(1, 40),
    threads=st.integers(1, 4),
    ragged=st.booleans(),
    reverse=st.booleans(),
    batch_first=st.booleans(),
    gap=st.integers(0, 3),
    bias=st.booleans(),
    noise=st.sampled_from(["", "", "mask", "zoneout", "mask zoneout share"]),
)
def test_any_shape_length_and_stride(name, T, N, D, H, threads, ragged, reverse, batch_first, gap, bias, noise):
    torch.set_num_threads(threads)
    torch.manual_seed(T + 10 * N + 100 * D + 1000 * H)
    problem = Problem(
        cell_of(name, D, H, bias=bias), T, N, ragged=ragged, batch_first=batch_first, gap=gap, noise=noise
    )
    # the variance of a handful of units may be almost nothing, by which the gradient is divided
    problem.check(2e-3 if name == "lstm_layer_norm" and H < 8 else 2e-5, reverse=reverse)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("split", [1, 2], ids=["by sequences", "by units"])
def test_both_ways_to_share_the_work(name, split, library, monkeypatch):
    torch.set_num_threads(3)
    for entry in ("forward", "backward", "workspace_size"):
        call = getattr(library, entry)

        def forced(run, *args, call=call, **kwargs):
            run.split = split
            return call(run, *args, **kwargs)

        monkeypatch.setattr(library, entry, forced)
    # large enough that three threads are worth it
    for ragged, noise in [(False, ""), (True, ""), (True, "mask zoneout")]:
        Problem(cell_of(name, 60, 70), 11, 5, ragged=ragged, noise=noise).check()


@pytest.mark.parametrize("name", CELLS)
def test_a_sequence_has_the_same_bits_whatever_its_batch_mates(name, isa):
    T, D, H = 9, 30, 37
    whole = Problem(cell_of(name, D, H), T, 21, ragged=True)
    assert whole.lengths is not None
    expected = whole.run(native.run, whole.tensors())
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for rows in ([0], [20, 3], [5, 6, 7, 8, 9, 10, 11], list(range(20, -1, -1))):
            part = Problem(cell_of(name, D, H), T, len(rows), ragged=True)
            part.lengths = whole.lengths[rows]
            state = [field[rows] for field in whole.state]
            found = part.run(native.run, [whole.x[:, rows], *state, *whole.p.values()])
            assert torch.equal(found.output, expected.output[:, rows])
            for one, other in zip(found.final, expected.final, strict=True):
                assert torch.equal(one, other[rows])


@pytest.mark.parametrize("name", CELLS)
def test_the_same_bits_on_every_run(name, library):
    torch.set_num_threads(2)
    problem = Problem(cell_of(name, 40, 50), 20, 11, ragged=True)
    first = problem.results(native.run, torch.float32)
    for _ in range(5):
        again = problem.results(native.run, torch.float32)
        for what, tensor in first.items():
            assert torch.equal(tensor, again[what]), what


@pytest.mark.parametrize("name", CELLS)
def test_sums_over_many_rows_are_as_exact_as_short_ones(name, library):
    """In one chain over all rows and steps, each addition rounds a number as large as the whole sum."""
    problem = Problem(cell_of(name, 3, 18), 60, 500)
    found = problem.results(native.run, torch.float32)
    for what, expected in problem.results(unroll, torch.float64).items():
        if what.startswith("grad ") and what.removeprefix("grad ") in problem.p:
            error = float((found[what] - expected).abs().max() / expected.abs().max())
            assert error < 1.5e-6, f"{what}: {error:.1e}"


@pytest.mark.parametrize("name", CELLS)
def test_what_the_padding_holds_reaches_nothing(name, library):
    problem = Problem(cell_of(name, 5, 6), 7, 4, ragged=True)
    problem.lengths = torch.tensor([7, 0, 3, 1])
    beyond = torch.arange(7)[:, None] >= problem.lengths
    problem.x = problem.x.masked_fill(beyond.unsqueeze(-1), torch.nan)
    problem.check()


@pytest.mark.parametrize("name", CELLS)
def test_not_a_number_is_passed_on(name, library):
    problem = Problem(cell_of(name, 5, 20), 4, 3)
    problem.x = problem.x.clone()
    problem.x[2, 1, 0] = torch.nan
    output = problem.run(native.run, problem.tensors()).output
    assert output[2:, 1].isnan().all()
    assert not output[:, [0, 2]].isnan().any()
    assert not output[:2].isnan().any()


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("noise", ["", "mask zoneout"])
def test_double_backward_goes_through_the_reference(name, noise, library):
    problem = Problem(cell_of(name, 3, 4), 3, 2, ragged=True, noise=noise)

    def second(implementation: Any, dtype: torch.dtype) -> list[Tensor]:
        leaves = [tensor.detach().to(dtype).requires_grad_() for tensor in problem.tensors()]
        ran = problem.run(implementation, leaves, keep_states=True)
        loss = ran.output.square().sum() + sum(field.square().sum() for field in ran.states)
        first = torch.autograd.grad(loss, leaves, create_graph=True)
        return list(torch.autograd.grad(sum(g.square().sum() for g in first), leaves))

    for found, expected in zip(second(native.run, torch.float32), second(unroll, torch.float64), strict=True):
        torch.testing.assert_close(found, expected.float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CELLS)
def test_backward_twice_over_a_kept_graph(name, library):
    problem = Problem(cell_of(name, 3, 4), 5, 2)
    leaves = [tensor.detach().requires_grad_() for tensor in problem.tensors()]
    loss = problem.run(native.run, leaves).output.square().sum()
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(loss, leaves), first, rtol=0, atol=0)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_nobody_wants_are_not_computed(name, library):
    problem = Problem(cell_of(name, 3, 4), 5, 2)
    expected = problem.results(native.run, torch.float32)
    for only in ("x", "weight_hh"):
        tensors = problem.tensors()
        index = 0 if only == "x" else 1 + len(problem.state) + list(problem.p).index(only)
        tensors[index] = tensors[index].detach().requires_grad_()
        ran = problem.run(native.run, tensors)
        generator = torch.Generator().manual_seed(1)
        outputs = (ran.output, *ran.final)
        upstream = [torch.randn(out.shape, generator=generator) for out in outputs]
        (found,) = torch.autograd.grad(outputs, tensors[index], upstream)
        torch.testing.assert_close(found, expected[f"grad {only}"], rtol=0, atol=0)


def _operator_arguments(cell: Cell, problem: Problem) -> tuple[Any, ...]:
    called = {name: form.operand(name, declared) for name, declared in cell.parameters().items()}
    rest = [t.reshape(-1, cell.hidden_size) for n, t in problem.p.items() if called[n] == "extra"]
    p = {called[name]: tensor.requires_grad_() for name, tensor in problem.p.items()}
    state = [field.requires_grad_() for field in problem.state]
    return (
        cell.name,
        problem.x.detach().requires_grad_(),
        *(p[name] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
        torch.cat(rest).detach().requires_grad_() if rest else None,
        p.get("weight_out"),
        p.get("bias_out"),
        state[0],
        state[1] if len(state) > 1 else None,
        problem.lengths,
        problem.noise.recurrent_mask,
        *(problem.noise.zoneout or (None, None)),
        *([None] if problem.noise.zoneout and len(state) == 1 else []),
    )


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(
    ("ragged", "noise"),
    [
        pytest.param(True, "mask zoneout", id="ragged-noise"),
        *(
            pytest.param(*given, id=name, marks=pytest.mark.slow)
            for name, given in {
                "ragged": (True, ""),
                "full-noise": (False, "mask zoneout"),
                "full": (False, ""),
            }.items()
        ),
    ],
)
def test_the_operators_keep_torchs_rules(name, ragged, noise, library):
    # 16 units: of every step, all that is kept for backward is written, so that it can be compared
    cell = cell_of(name, 3, 16)
    arguments = _operator_arguments(cell, Problem(cell, 4, 3, ragged=ragged, noise=noise))
    keep = bool(noise) and len(cell.State._fields) > 1
    torch.library.opcheck(torch.ops.ostinato.recurrence, (*arguments, False, keep))
    detached = [a.detach() if isinstance(a, Tensor) else a for a in arguments]
    torch.library.opcheck(torch.ops.ostinato.recurrence_saving, (*detached, False, keep))
    output, h, c, every_c, saved = torch.ops.ostinato.recurrence_saving(*detached, False, keep)
    upstream = (torch.randn_like(output), torch.randn_like(h), torch.randn_like(c) if c.numel() else None)
    upstream = (*upstream, torch.randn_like(every_c) if keep else None)
    rest = (False, None, None, None, output.detach(), saved, *upstream, [True] * 12)
    torch.library.opcheck(
        torch.ops.ostinato.recurrence_backward, (*detached, *rest), test_utils=["test_schema", "test_faketensor"]
    )


def test_a_transform_of_torch_func_runs_on_the_reference(library):
    cell = lookup("gru")(3, 4)
    problem = Problem(cell, 5, 2)

    def loss(x: Tensor) -> Tensor:
        from ostinato import kernels

        return kernels.run(cell, problem.p, x, problem.state).output.square().sum()

    found = torch.func.grad(loss)(problem.x)
    x = problem.x.detach().requires_grad_()
    torch.testing.assert_close(found, torch.autograd.grad(loss(x), x)[0])
    per_sequence = torch.func.vmap(loss, in_dims=0)(torch.randn(3, 5, 2, 3))
    assert per_sequence.shape == (3,)


@pytest.mark.parametrize(
    ("argument", "value", "says"),
    [
        (1, torch.zeros(4, 3, 3, dtype=torch.float64), r"x: expected torch.float32 .* got torch.float64"),
        (3, torch.zeros(9, 4), r"weight_hh: expected .* got .* \(9, 4\)"),
        (9, torch.zeros(2, 5), r"h0: expected .* of shape \(3, 5\), got .* \(2, 5\)"),
        (11, torch.tensor([1, -1, 2]), "refuses the length"),
        (11, torch.tensor([1, 5, 2]), "refuses the length"),
    ],
)
def test_a_wrong_argument_is_refused(argument, value, says, library):
    cell = lookup("gru")(3, 5)
    arguments = list(_operator_arguments(cell, Problem(cell, 4, 3)))
    arguments[argument] = value
    with pytest.raises(ValueError, match=says):
        torch.ops.ostinato.recurrence(*arguments, False, False)


@pytest.mark.parametrize(
    ("cell", "argument", "says"),
    [
        ("lstm", 10, "c0: expected a tensor, lstm has a memory cell"),
        ("jordan", 7, "weight_out: expected a tensor, jordan has an output layer"),
    ],
)
def test_what_a_cell_cannot_do_without_is_asked_for(cell, argument, says, library):
    made = lookup(cell)(3, 5)
    arguments = list(_operator_arguments(made, Problem(made, 4, 3)))
    arguments[argument] = None
    with pytest.raises(ValueError, match=says):
        torch.ops.ostinato.recurrence(*arguments, False, False)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_peepholes_that_are_missing_are_zero(rows, library):
    cell = lookup("lstm_peephole")(3, 5)
    arguments = list(_operator_arguments(cell, Problem(cell, 4, 3)))
    whole = torch.randn(3, 5)
    whole[rows:] = 0
    results = []
    for extra in (whole.requires_grad_(), whole[:rows].detach().requires_grad_() if rows else None):
        arguments[6] = extra
        output = torch.ops.ostinato.recurrence(*arguments, False, False)[0]
        by = [arguments[1], arguments[3], *([extra] if rows else [])]
        results.append([output.detach(), *torch.autograd.grad(output.square().sum(), by)])
    (*full, of_all), (*part, of_some) = results if rows else [[*one, torch.zeros(0, 5)] for one in results]
    torch.testing.assert_close(part, full)
    torch.testing.assert_close(of_some, of_all[:rows])


def test_gradients_of_gradients_where_nothing_depends(library):
    """Of no steps, and of a first step's h by what is fed back."""
    layer = ostinato.GRU(3, 4)
    leaves = list(layer.parameters())
    found = torch.autograd.grad(layer(torch.zeros(0, 2, 3))[0].sum(), leaves, create_graph=True)
    assert all(not gradient.any() for gradient in found)
    layer = ostinato.LSTM(3, 4, proj_size=2).requires_grad_(False)
    layer.weight_hr_l0.requires_grad_()
    _, (_, c) = layer(torch.zeros(1, 2, 3))
    (found,) = torch.autograd.grad(c.sum(), layer.weight_hr_l0, create_graph=True)
    assert not found.any()


def test_an_input_that_a_hook_lays_out_anew(library):
    """Packed to somewhere else and back to the same place, but dense: forward read it by other strides."""
    layer = ostinato.GRU(3, 4, batch_first=True)
    leaves = list(layer.parameters())
    x = torch.randn(5, 7, 3)
    expected = torch.autograd.grad(layer(x)[0].square().sum(), leaves)

    def back(tensor):
        if tensor.shape != (7, 5, 3):
            return tensor
        dense = tensor.contiguous()
        storage = tensor.untyped_storage()
        storage.copy_(dense.untyped_storage())
        return torch.empty(0).set_(storage, 0, dense.shape, dense.stride())

    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, back):
        found = torch.autograd.grad(layer(x)[0].square().sum(), leaves)
    torch.testing.assert_close(found, expected)
