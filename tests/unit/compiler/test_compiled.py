"""Compiled cells over sequences against the reference in float64: outputs, states and all gradients."""

import pytest
import torch

import ostinato.cells  # noqa: F401 (registers them)
from ostinato.bench.cells.bandwidth import Alone
from ostinato.cells.contract import Parameter
from ostinato.cells.noise import StateNoise
from ostinato.cells.resets import Resets
from ostinato.cells.unroll import unroll
from ostinato.compiler.kernel import kernel_of
from ostinato.core.registry import lookup
from ostinato.kernels import compiled
from tests.conformance.own_cell import FeedbackMGU
from tests.unit.compiler.cells import Differences, Everything, OneOperation, ReadTwice, Scan, SeenFromBefore

CELLS = [
    lookup("lstm")(3, 5),
    lookup("gru")(19, 33, activation="softsign", clip=1.0),
    lookup("gru_reset_before")(3, 5),
    lookup("lstm_layer_norm")(2, 4, bias=False),
    lookup("lstm")(3, 5, proj_size=2),
    FeedbackMGU(3, 5),
    Everything(3, 6),
    Scan(3, 6),
    lookup("lru")(3, 5),  # its `readout` is part of the step
    Differences(3, 5),
    SeenFromBefore(3, 6),
]


def slow(cell):
    return pytest.param(cell, marks=pytest.mark.slow)


@pytest.fixture(autouse=True)
def asked_for(kernels, library):
    pass


class Sample:
    """A sequence in float64, and the same in float32."""

    def __init__(self, cell, N=5, T=7, ragged=False, noisy=False, resets=False):
        torch.manual_seed(0)
        self.cell, self.T = cell, T
        shapes = {name: declared.shape for name, declared in cell.parameters().items()}
        self.names = list(shapes)
        x = torch.randn(T, N, cell.input_size, dtype=torch.float64)
        state = cell.initial_state(N, x)
        self.State = type(state)
        leaves = [
            x,
            *(torch.randn(s, dtype=torch.float64) * 0.4 for s in shapes.values()),
            *map(torch.randn_like, (*state, *state) if resets else state),
        ]
        self.before = torch.rand(T, N) < 0.4 if resets else None
        self.leaves = [leaf.requires_grad_() for leaf in leaves]
        self.lengths = torch.tensor([T, 0, 1, T - 1, 2])[:N] if ragged else None
        self.noise = None
        if noisy:
            mask = (torch.rand(state[0].shape) < 0.7).double() / 0.7
            self.noise = StateNoise(mask, [torch.rand(T, *field.shape, dtype=torch.float64) for field in state])

    def run(self, run, dtype, **options):
        leaves = [leaf.detach().to(dtype).requires_grad_() for leaf in self.leaves]
        p = dict(zip(self.names, leaves[1:], strict=False))
        fields = leaves[1 + len(p) :]
        state = self.State(*fields[: len(self.State._fields)])
        if self.before is not None:
            options["resets"] = Resets(self.before, self.State(*fields[len(state) :]))
        noise = self.noise and self.noise.to(dtype)
        ran = run(self.cell, p, leaves[0], state, lengths=self.lengths, noise=noise, keep_states=True, **options)
        return leaves, [ran.output, *ran.final, *ran.states]

    def compare(self, dtype=torch.float32, tolerance=2e-6, **options):
        leaves, wanted = self.run(unroll, torch.float64, **options)
        upstream = [torch.randn_like(result) for result in wanted]
        wanted += torch.autograd.grad(wanted, leaves, upstream, materialize_grads=True)
        by_loop, by_kernel = (max(self.errors(run, dtype, upstream, wanted, options)) for run in (unroll, compiled.run))
        assert by_kernel <= max(tolerance, 5 * by_loop)

    def errors(self, run, dtype, upstream, wanted, options):
        """Of all results and gradients, in units of their largest number."""
        leaves, found = self.run(run, dtype, **options)
        upstream = [gradient.to(dtype) for gradient in upstream]
        found += torch.autograd.grad(found, leaves, upstream, materialize_grads=True)
        for result, expected in zip(found, wanted, strict=True):
            assert result.shape == expected.shape
            if expected.numel():
                yield ((result - expected).abs().max() / expected.abs().max().clamp(min=1)).item()


@pytest.mark.parametrize("cell", [CELLS[0], slow(CELLS[1]), *CELLS[2:]], ids=lambda cell: cell.name)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
def test_a_compiled_cell_is_the_reference(cell, ragged, reverse):
    Sample(cell, ragged=ragged).compare(reverse=reverse)


@pytest.mark.parametrize("cell", [*map(slow, CELLS[:2]), CELLS[6]], ids=lambda cell: cell.name)
def test_noise(cell):
    Sample(cell, ragged=True, noisy=True).compare()


@pytest.mark.parametrize("cell", [CELLS[0], *map(slow, CELLS[2:5]), *CELLS[5:]], ids=lambda cell: cell.name)
@pytest.mark.parametrize("reverse", [False, True])
def test_resets(cell, reverse):
    Sample(cell, ragged=True, resets=True).compare(reverse=reverse)
    Sample(cell, N=1, T=30, resets=True).compare(reverse=reverse)


@pytest.mark.parametrize(("N", "T"), [(1, 1), (1, 30), (0, 3), (70, 3)])
def test_few_and_many(N, T):
    Sample(CELLS[5], N=N, T=T).compare()


@pytest.mark.parametrize("H", [32, 30])
def test_results_that_are_larger_than_caches(H):
    """They are written past them, where rows are whole vectors."""
    Sample(Alone(lookup("min_lstm")(H, H)), N=3500, T=16).compare()


def test_no_steps():
    sample = Sample(CELLS[5], N=3, T=0)
    leaves, found = sample.run(compiled.run, torch.float32)
    assert found[0].shape == (0, 3, 2)
    assert torch.equal(found[1], leaves[-2])


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("N", [1, 7])
def test_threads(threads, N):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        Sample(lookup("lstm_layer_norm")(40, 96), N=N, T=20).compare(tolerance=1e-5)
        Sample(lookup("lstm_layer_norm")(40, 96), N=min(N, 5), T=20, ragged=True, resets=True).compare(tolerance=1e-5)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("threads", "N"), [(1, 5), (2, 1), (2, 5), (5, 3)])
def test_what_is_read_of_states_is_multiplied_over_chunks(library, threads, N):
    layout = kernel_of(ReadTwice(3, 21), library.isa).layout
    assert [form.over_chunk for form in (layout.forward.form, layout.backward.form)] == [2, 2]
    assert [level for level, *_ in layout.products] == [0, 1, 2, 3]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for cell in (ReadTwice(3, 21), lookup("lru")(3, 21)):
            Sample(cell, N=N, T=170, resets=True).compare(tolerance=1e-5)  # several chunks
            Sample(cell, N=N, ragged=True, noisy=cell.name != "lru").compare(reverse=True)
    finally:
        torch.set_num_threads(before)


def test_bfloat16_is_float32_inside():
    Sample(CELLS[0]).compare(dtype=torch.bfloat16, tolerance=2e-2)


def test_outputs_are_the_same_bits_whatever_the_batch():
    cell = Everything(19, 34)
    sample = Sample(cell, N=13, T=9)
    leaves, found = sample.run(compiled.run, torch.float32)
    p = dict(zip(sample.names, leaves[1:], strict=False))
    state = sample.State(*leaves[1 + len(p) :])
    for n in range(13):
        alone = compiled.run(cell, p, leaves[0][:, n : n + 1], sample.State(*(f[n : n + 1] for f in state)))
        assert torch.equal(alone.output, found[0][:, n : n + 1])


@pytest.mark.parametrize("cell", [CELLS[5], CELLS[6]], ids=lambda cell: cell.name)
def test_gradients_of_gradients(cell):
    sample = Sample(cell, T=3)
    results = []
    for run, dtype in ((unroll, torch.float64), (compiled.run, torch.float32)):
        leaves, found = sample.run(run, dtype)
        grads = torch.autograd.grad(sum(part.square().sum() for part in found), leaves, create_graph=True)
        results.append(torch.autograd.grad(sum(grad.square().sum() for grad in grads), leaves))
    for expected, result in zip(*results, strict=True):
        torch.testing.assert_close(result.double(), expected, rtol=0, atol=1e-4 * max(expected.abs().max().item(), 1))


def test_an_output_that_was_changed_in_place():
    sample = Sample(CELLS[0])
    grads = []
    for change in (False, True):
        leaves, found = sample.run(compiled.run, torch.float32)
        result = found[0].mul_(2) if change else found[0] * 2
        grads.append(torch.autograd.grad(result.sum(), leaves))
    for one, other in zip(*grads, strict=True):
        assert torch.equal(one, other)


def test_the_largest_of_a_row_with_nan_is_nan():
    H = 70
    cell = OneOperation(3, H, operation="amax")
    p = {name: torch.zeros(declared.shape) for name, declared in cell.parameters().items()}
    h = torch.arange(4 * H).view(4, H) * 1e-3
    for row, unit in enumerate((0, H // 2, H - 1)):
        h[row, unit] = torch.nan
    found = compiled.run(cell, p, torch.zeros(1, 4, 3), cell.State(h)).output[0]
    assert found[:3].isnan().all()
    torch.testing.assert_close(found[3], torch.tanh((torch.arange(H) - (H - 1)) * 1e-3))


def test_what_a_fused_cell_makes_no_use_of_has_no_gradient(library):
    class Idle(type(lookup("rnn")(3, 4))):
        name = "idle"

        def parameters(self):
            return {**super().parameters(), "weight_idle": Parameter((4,))}

        def step(self, p, projected, state):
            p["weight_idle"] * state.h
            return super().step(p, projected, state)

    cell = Idle(3, 4)
    assert kernel_of(cell, library.isa).fused
    p = {name: torch.zeros(declared.shape, requires_grad=True) for name, declared in cell.parameters().items()}
    x = torch.ones(2, 1, 3)
    torch.use_deterministic_algorithms(True)  # fills what is not written with NaN
    try:
        compiled.run(cell, p, x, cell.initial_state(1, x)).output.sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert not p["weight_idle"].grad.any()
    assert p["weight_ih"].grad.any()


def test_who_reads_a_state_out(library):
    made = {cell.name: kernel_of(cell, library.isa).output_width for cell in (lookup("lru")(3, 5), Differences(3, 5))}
    assert made == {"lru": 5, "differences": 0}


def test_which_cells_are_fused(library):
    fused = [kernel_of(cell, library.isa).fused is not None for cell in CELLS]
    assert fused == [True, True, *[False] * 9]


def test_a_layer_of_another_size_needs_no_compiler(capsys):
    Sample(FeedbackMGU(4, 9, output_units=3)).compare()
    capsys.readouterr()
    Sample(FeedbackMGU(11, 21, output_units=7)).compare()
    assert "compiled" not in capsys.readouterr().err
