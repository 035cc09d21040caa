"""Compiled cells as torch operators: in graphs, in other processes, and past the operators in eager calls."""

import io
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch.library import opcheck
from torch.utils.checkpoint import checkpoint

import ostinato
from ostinato.core.errors import ConfigError
from ostinato.core.registry import lookup, unregister
from ostinato.kernels import compiled, compiled_kernels
from tests.conformance.own_cell import FeedbackMGU
from tests.unit.compiler.cells import Everything
from tests.unit.compiler.test_compiled import Sample
from tests.unit.kernels.test_native_operators import Listening

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def by_kernels(kernels, library):
    torch.set_num_threads(1)
    torch.manual_seed(0)


def inputs(cell, T=4, N=3, zoned=False):
    sample = Sample(cell, N=N, T=T, noisy=zoned)
    tensors = [leaf.detach().float() for leaf in sample.leaves]
    p = dict(zip(sample.names, tensors[1:], strict=False))
    noise = sample.noise and sample.noise.to(torch.float32)
    return compiled.inputs(compiled.key(cell, noise), p, tensors[0], sample.State(*tensors[1 + len(p) :]), None, noise)


@pytest.mark.slow
@pytest.mark.parametrize("zoned", [False, True])
def test_operators_are_what_torch_asks_for(zoned):
    given = inputs(FeedbackMGU(3, 5), zoned=zoned)
    opcheck(torch.ops.ostinato.compiled.default, (*given, True))
    *results, saved = torch.ops.ostinato.compiled_saving(*given, False)
    opcheck(torch.ops.ostinato.compiled_saving.default, (*given, True))
    upstream = [torch.randn_like(result) for result in results]
    wanted = [True] * given.differentiable
    opcheck(torch.ops.ostinato.compiled_backward.default, (*given, results[0], saved, upstream, wanted))


def test_both_ways_give_the_same_bits():
    sample, ways, mode = Sample(FeedbackMGU(3, 5), ragged=True), [], Listening()
    for heard in (nullcontext(), mode):
        with heard:
            leaves, found = sample.run(compiled.run, torch.float32)
            ways.append((*found, *torch.autograd.grad([part.sum() for part in found], leaves)))
    assert mode.heard == ["compiled_saving", "compiled_backward"]
    for one, other in zip(*ways, strict=True):
        assert torch.equal(one, other)


def steps(layer, x, lengths):
    """Outputs, and gradients by the parameters."""
    output, final = layer(x, lengths=lengths)
    loss = output.square().sum() + sum(field.sum() for field in final)
    return [output, *torch.autograd.grad(loss, list(layer.parameters()))]


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        (FeedbackMGU(3, 5), {"bidirectional": True}),
        pytest.param(Everything(3, 6), {"zoneout": 0.2, "recompute": 3}, marks=pytest.mark.slow),
        *[pytest.param(lookup(name)(3, 6), {}, marks=pytest.mark.slow) for name in ("rg_lru", "qrnn", "slstm", "lru")],
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_torch_compile_sees_one_call(cell, options):
    layer = ostinato.Recurrent(cell, **options).eval()
    x, lengths = torch.randn(7, 3, 3), torch.tensor([7, 2, 0])
    expected = steps(layer, x, lengths)
    graph = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for one, other in zip(steps(graph, x, lengths), expected, strict=False):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_checkpointing_runs_the_sequence_again():
    layer, x = ostinato.Recurrent(FeedbackMGU(3, 5)), torch.randn(7, 2, 3, requires_grad=True)
    plain, again = layer(x)[0], checkpoint(lambda x: layer(x)[0], x, use_reentrant=False)
    for one, other in zip(
        *(torch.autograd.grad(y.sum(), [x, *layer.parameters()]) for y in (plain, again)), strict=True
    ):
        assert torch.equal(one, other)


LOADED = """
import io, sys, torch
{imports}
program = torch.export.load(io.BytesIO(sys.stdin.buffer.read()))
print(program.module()(torch.linspace(-1, 1, 24).view(4, 2, 3))[0].double().sum().item())
"""


def loaded(program, imports=""):
    """What a graph gives in a process that did not make it."""
    file = io.BytesIO()
    torch.export.save(program, file)
    return subprocess.run(
        [sys.executable, "-c", LOADED.format(imports=imports)],
        input=file.getvalue(),
        capture_output=True,
        cwd=ROOT,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "imports"), [
    (lookup("min_gru")(3, 5), ""),
    (FeedbackMGU(3, 5, output_units=3), "import ostinato; from tests.conformance import own_cell; "
     "ostinato.register(own_cell.FeedbackMGU)"),
], ids=["min_gru", "own"])  # fmt: skip
def test_a_saved_graph_runs_where_the_cell_is(cell, imports):
    layer, x = ostinato.Recurrent(cell), torch.linspace(-1, 1, 24).view(4, 2, 3)
    ostinato.register(type(cell))
    try:
        ran = loaded(torch.export.export(layer, (x,)), imports)
        assert float(ran.stdout) == layer(x)[0].double().sum().item(), ran.stderr.decode()
    finally:
        if imports:
            unregister(cell.name)


def test_a_key_is_refused_where_it_means_something_else(monkeypatch):
    monkeypatch.setattr(compiled_kernels, "_kernels", {})
    cell = lookup("min_gru")(3, 5)
    key, _ = compiled_kernels.key_of(cell, False, False)
    monkeypatch.setattr(compiled_kernels, "_keys", {})
    monkeypatch.setattr(compiled_kernels, "_kernels", {})
    assert compiled_kernels.kernel_by(key).traced.state_widths == (5,)
    for change, says in (
        ({"cell": "min_gro"}, "unknown cell 'min_gro'"),
        ({"program": "0"}, "other equations here"),
        ({"options": None}, "was made by hand"),
    ):
        with pytest.raises(ConfigError, match=says):
            compiled_kernels.kernel_by(json.dumps(json.loads(key) | change))
