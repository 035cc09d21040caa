"""Products of compiled cells in bf16, by torch's switch and as bf16 tensors, on every set: against float64."""

import pytest
import torch

import ostinato.cells  # noqa: F401 (registers them)
from ostinato.cells.unroll import unroll
from ostinato.core.registry import lookup
from ostinato.kernels import compiled, compiled_calls, compiled_kernels
from ostinato.native.programs import Programs
from tests.conformance.own_cell import FeedbackMGU
from tests.unit.compiler.cells import Everything, Scan
from tests.unit.compiler.test_compiled import Sample
from tests.unit.kernels.test_native import ISAS
from tests.unit.kernels.test_precision import ALLOWED, relative


@pytest.fixture(autouse=True)
def asked_for(kernels, library):
    pass


@pytest.fixture
def on_set(library, monkeypatch):
    """Chooses an instruction set and torch's switch, for one test."""
    before = torch.get_float32_matmul_precision(), torch.get_num_threads()

    def choose(isa, precision):
        monkeypatch.setattr(library, "isa", isa)
        monkeypatch.setattr(compiled_kernels, "_keys", {})
        torch.set_float32_matmul_precision(precision)

    yield choose
    torch.set_float32_matmul_precision(before[0])
    torch.set_num_threads(before[1])


def results(sample, run, dtype, **options):
    leaves, found = sample.run(run, dtype, **options)
    upstream = [torch.full_like(result, 0.5) for result in found]
    return [*found, *torch.autograd.grad(found, leaves, upstream)]


def compare(cell, wanted, N, T, dtype=torch.float32, **options):
    sample = Sample(cell, N=N, T=T, **options)
    with torch.no_grad():  # so that what is rounded does not grow from step to step
        for weights in sample.leaves[1 : 1 + len(sample.names)]:
            weights /= max([6, *weights.shape[-1:]]) ** 0.5 * 0.4
    pairs = zip(results(sample, compiled.run, dtype), results(sample, unroll, torch.float64), strict=True)
    return max(relative(found.detach(), expected.detach()) for found, expected in pairs) / ALLOWED[wanted]


@pytest.mark.parametrize("isa", [i if i in ISAS[:1] else pytest.param(i, marks=pytest.mark.slow) for i in ISAS])
@pytest.mark.parametrize("wanted", ["high", "medium"])
def test_every_precision_is_as_close_as_its_numbers_allow(wanted, isa, on_set):
    on_set(isa, wanted)
    for threads, (N, T) in ((1, (5, 7)), (2, (1, 70)), (3, (70, 9))):
        torch.set_num_threads(threads)
        for cell in (
            lookup("lstm_layer_norm")(9, 35),
            lookup("lstm")(19, 40, proj_size=7),
            FeedbackMGU(17, 33),
            Scan(5, 50),
        ):
            assert compare(cell, wanted, N, T, ragged=N == 5, resets=N == 5) < 1, (cell, N, T)


@pytest.mark.parametrize("split", [1, 2], ids=["by sequences", "by units"])
def test_both_ways_to_share_the_work(split, on_set, monkeypatch):
    for name in ("forward", "backward", "workspace"):
        call = getattr(Programs, name)

        def forced(programs, run, *, call=call, **options):
            run.split = split
            return call(programs, run, **options)

        monkeypatch.setattr(Programs, name, forced)
    torch.set_num_threads(3)
    for isa in {ISAS[0], ISAS[-1]}:
        for wanted in ("highest", "medium"):
            on_set(isa, wanted)
            # its powers and quotients magnify what is rounded
            assert compare(Everything(19, 34), "medium", 5, 11, ragged=True, resets=True) < 3


def test_tensors_of_bf16_are_multiplied_as_they_are(on_set, library, monkeypatch):
    on_set(ISAS[0], "highest")
    asked, compute = [], compiled_calls._Call.compute

    def watched(call, *arguments, **options):
        asked.append(call.run.precision)
        return compute(call, *arguments, **options)

    monkeypatch.setattr(compiled_calls._Call, "compute", watched)
    for cell in (lookup("lstm")(9, 35), FeedbackMGU(17, 33)):
        sample = Sample(cell)
        results(sample, compiled.run, torch.bfloat16)
    assert set(asked) == {2 if library.precision("medium") == "medium" else 0}
    assert compare(FeedbackMGU(17, 33), "medium", 5, 7, dtype=torch.bfloat16) < 1


def test_outputs_are_the_same_bits_whatever_the_batch(on_set):
    cell = Everything(19, 34)
    for isa in {ISAS[0], ISAS[-1]}:
        on_set(isa, "medium")
        sample = Sample(cell, N=13, T=9)
        leaves, found = sample.run(compiled.run, torch.float32)
        p = dict(zip(sample.names, leaves[1:], strict=False))
        state = sample.State(*leaves[1 + len(p) :])
        for n in range(13):
            alone = compiled.run(cell, p, leaves[0][:, n : n + 1], sample.State(*(f[n : n + 1] for f in state)))
            assert torch.equal(alone.output, found[0][:, n : n + 1])
