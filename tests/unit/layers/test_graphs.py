"""Graphs that PyTorch captures of layers: what may be in one, that it is saved, loaded elsewhere and trained."""

import io
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

import ostinato
from ostinato.core import autoload
from ostinato.kernels import native_calls
from ostinato.native import torch_programs

LENGTHS = torch.tensor([7, 1, 0])
OPTIONS = {
    "dropout": {"num_layers": 2, "dropout": 0.5},
    "locked dropout": {"num_layers": 2, "dropout": 0.5, "locked_dropout": True},
    "weight drop": {"weight_drop": 0.5},
    "recurrent dropout": {"recurrent_dropout": 0.5},
    "zoneout": {"zoneout": 0.3},
}


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch._dynamo.reset()


@pytest.fixture
def x():
    return torch.randn(7, 3, 4)


def gradients(run, layer, *given, **named):
    output, state = run(*given, **named)
    state = (state,) if isinstance(state, Tensor) else state
    loss = sum((field.square().sum() for field in (output, *state)), torch.zeros(()))
    return [output, *state], torch.autograd.grad(loss, list(layer.parameters()))


FRUGAL = {"recompute": 3, "bidirectional": True}


@pytest.mark.parametrize(
    ("cell", "options", "lengths"),
    [
        ("lstm", {}, LENGTHS),
        ("lstm", FRUGAL, LENGTHS),
        ("gru", FRUGAL, None),
        ("jordan", {}, LENGTHS),
        pytest.param("jordan", FRUGAL, LENGTHS, marks=pytest.mark.slow),
    ],
)
def test_one_graph_with_the_same_numbers(cell, options, lengths, x):
    layer = ostinato.Recurrent(cell, 4, 5, **options)
    expected = gradients(layer, layer, x, lengths=lengths)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(gradients(compiled, layer, x, lengths=lengths), expected)
    exported = torch.export.export(layer, (x,), {"lengths": lengths}).module()
    torch.testing.assert_close(gradients(exported, exported, x, lengths=lengths), expected)


@pytest.mark.parametrize("case", OPTIONS)
def test_noise_is_drawn_in_the_graph(case, x):
    """Anew in each call, of the share asked for."""
    layer = ostinato.GRU(4, 5, **OPTIONS[case])
    exported = torch.export.export(layer, (x,)).module()
    for run in (torch.compile(layer, fullgraph=True, backend="aot_eager"), exported):
        first, second = (run(x)[0] for _ in range(2))
        assert not torch.equal(first, second)
        first.sum().backward()


def test_the_share_that_is_dropped_in_a_graph(x):
    layer = ostinato.GRU(4, 300, 2, dropout=0.3)
    seen = []
    compiled = torch.compile(layer, fullgraph=True, backend=lambda graph, _: _watch(graph, seen))
    compiled(x)
    (mask,) = seen
    assert abs((mask == 0).float().mean() - 0.3) < 0.03
    torch.testing.assert_close(mask.unique(), torch.tensor([0, 1 / 0.7]))


def _watch(graph: torch.fx.GraphModule, seen: list[Tensor]):
    """Runs a graph, and keeps what the random numbers in it were made into: the last operation before the product."""

    class Keeping(torch.fx.Interpreter):
        def run_node(self, node):
            found = super().run_node(node)
            if node.op == "call_method" and node.target == "mul":
                seen.append(found)
            return found

    return lambda *given: Keeping(graph).run(*given)


def test_exported_for_any_sizes(x):
    layer = ostinato.LSTM(4, 5, recompute=3, bidirectional=True)
    sizes = {"input": {0: torch.export.Dim("T"), 1: torch.export.Dim("N")}}
    sizes["lengths"] = {0: sizes["input"][1]}
    exported = torch.export.export(layer, (x,), {"lengths": LENGTHS}, dynamic_shapes=sizes).module()
    longer, lengths = torch.randn(9, 2, 4), torch.tensor([9, 4])
    torch.testing.assert_close(exported(longer, lengths=lengths), layer(longer, lengths=lengths))


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("given", ["mask", "lengths"])
def test_captured_with_gaps_for_any_sizes(given, hold):
    layer = ostinato.GRU(4, 5, bidirectional=True, hold_output=hold)
    draw = torch.Generator().manual_seed(1)

    def inputs(T, N):
        mask = torch.rand(T, N, generator=draw) > 0.4
        return torch.randn(T, N, 4, generator=draw), mask if given == "mask" else mask.sum(0)

    class Program(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x, gaps):
            return self.layer(x, **{given: gaps})

    T, N = torch.export.Dim("T"), torch.export.Dim("N")
    sizes = ({0: T, 1: N}, {0: T, 1: N} if given == "mask" else {0: N})
    exported = torch.export.export(Program(), inputs(7, 3), dynamic_shapes=sizes).module()
    traced = torch.jit.trace(Program(), inputs(7, 3), check_trace=False)
    longer = inputs(9, 2)
    expected = Program()(*longer)
    torch.testing.assert_close(exported(*longer), expected)
    torch.testing.assert_close(traced(*longer), expected)


@pytest.mark.parametrize(("dtype", "wrong"), [(torch.float32, 8), (torch.float64, -1)])
def test_lengths_out_of_range_are_refused_in_a_graph_too(dtype, wrong, x):
    layer, x, lengths = ostinato.LSTM(4, 5, dtype=dtype), x.to(dtype), LENGTHS.clone()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    exported = torch.export.export(layer, (x,), {"lengths": lengths}).module()
    compiled(x, lengths=lengths)
    lengths[1] = wrong
    for run in (compiled, exported, layer):
        with pytest.raises((RuntimeError, ValueError), match="expected lengths from 0 to"):
            run(x, lengths=lengths)


def test_recompute_keeps_few_states_in_a_graph_too(x, monkeypatch, library):
    layer, ran = ostinato.LSTM(4, 5, recompute=3), []
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    compiled(x)
    for name in ("forward", "backward"):
        call = getattr(native_calls, name)
        monkeypatch.setattr(
            native_calls,
            name,
            lambda given, *a, n=name, f=call, **k: (ran.append((n, len(given.x))), f(given, *a, **k))[1],
        )
    loss = compiled(x)[0].sum()
    assert ran == [("forward", steps) for steps in (3, 3, 1)]
    ran.clear()
    loss.backward()
    assert sorted(ran) == [
        ("backward", 1),
        ("backward", 3),
        ("backward", 3),
        ("forward", 1),
        ("forward", 3),
        ("forward", 3),
    ]


@pytest.mark.parametrize("make", [ostinato.RNN, ostinato.LSTM, ostinato.GRU])
def test_traced_and_checked_by_jit(make, x):
    layer = make(4, 5, 2, bidirectional=True)
    traced = torch.jit.trace(layer, (x,))  # traces again without gradients, and compares
    longer = torch.randn(9, 2, 4)
    torch.testing.assert_close(gradients(traced, layer, longer), gradients(layer, layer, longer))


def test_traced_by_jit_with_lengths(x):
    class Ragged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = ostinato.GRU(4, 5)

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return self.layer(x, lengths=lengths)[0]

    module = Ragged()
    traced = torch.jit.trace(module, (x, LENGTHS))
    longer, lengths = torch.randn(9, 2, 4), torch.tensor([9, 4])
    torch.testing.assert_close(traced(longer, lengths), module(longer, lengths))
    with pytest.raises(RuntimeError, match=r"lengths from 0 to|refuses the length"):
        traced(longer, lengths + 1)


def test_captured_without_gradients_and_trained(x):
    layer = ostinato.LSTM(4, 5)
    expected = gradients(layer, layer, x)
    with torch.no_grad():
        exported = torch.export.export(layer, (x,)).module()
        traced = torch.jit.trace(layer, (x,))
    torch.testing.assert_close(gradients(exported, exported, x), expected)
    torch.testing.assert_close(gradients(traced, layer, x), expected)


LOADING = """
import sys, torch
{imports}
x, expected = torch.load(sys.argv[1] + "/numbers.pt")
exported = torch.export.load(sys.argv[1] + "/layer.pt2").module()
traced = torch.jit.load(sys.argv[1] + "/layer.jit")
assert torch.load(sys.argv[1] + "/state.pt")._fields == ("h", "c")
for run in (exported, traced):
    output, (h, c) = run(x)
    torch.testing.assert_close((output, h, c), expected)
print("ostinato.layers" in sys.modules)
"""


@pytest.mark.parametrize(
    ("imports", "environment"),
    [
        ("import ostinato", {"TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}),  # torch, then ostinato
        ("", {}),  # torch alone: its autoload
    ],
    ids=["ostinato", "torch"],
)
@pytest.mark.slow
def test_saved_graphs_load_in_a_fresh_process(imports, environment, x, tmp_path, monkeypatch):
    layer = ostinato.LSTM(4, 5)
    output, (h, c) = layer(x)
    torch.save((x, (output.detach(), h.detach(), c.detach())), tmp_path / "numbers.pt")
    torch.save(layer.initial_state(3), tmp_path / "state.pt")
    torch.export.save(torch.export.export(layer, (x,)), tmp_path / "layer.pt2")
    torch.jit.save(torch.jit.trace(layer, (x,)), str(tmp_path / "layer.jit"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ran = subprocess.run(
        [sys.executable, "-c", LOADING.format(imports=imports), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.stdout.strip() == "False", ran.stderr[-3000:]


def test_torch_is_imported_even_where_that_fails(monkeypatch):
    monkeypatch.setattr(torch_programs, "register", lambda: 1 / 0)
    with pytest.warns(UserWarning, match="unknown to PyTorch: ZeroDivisionError"):
        autoload.register()


class TestStates:
    def test_drop_ins_give_what_torch_gives(self, x):
        layer, cell = ostinato.LSTM(4, 5), ostinato.LSTMCell(4, 5)
        for state in (layer(x)[1], cell(x[0]), layer.stream(3).state):
            assert type(state) is tuple
            again = type(state)(field.detach() for field in state)
            assert len(again) == 2

    @pytest.mark.parametrize("cell", ["lstm", "gru"])
    def test_named_states_are_saved_and_loaded(self, cell, x, tmp_path):
        _, state = ostinato.Recurrent(cell, 4, 5)(x)
        torch.save(state, tmp_path / "state.pt")
        again = torch.load(tmp_path / "state.pt")
        assert type(again) is type(state)
        torch.testing.assert_close(again, state)

    def test_named_states_in_a_saved_graph(self, x):
        layer = ostinato.Recurrent("lstm", 4, 5)
        held = io.BytesIO()
        torch.export.save(torch.export.export(layer, (x, layer(x)[1])), held)
        held.seek(0)
        output, state = torch.export.load(held).module()(x, layer(x)[1])
        assert state._fields == ("h", "c")
        torch.testing.assert_close(output, layer(x, layer(x)[1])[0])


class TestMeta:
    @pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
    @pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}])
    def test_shapes_are_torchs(self, name, options):
        with torch.device("meta"):
            ours, theirs = (getattr(package, name)(4, 5, **options) for package in (ostinato, nn))
            x = torch.randn(7, 2, 4)
        (found, state), (expected, other) = ours(x), theirs(x)
        found.sum().backward()
        assert found.is_meta
        assert found.shape == expected.shape
        shapes = [[field.shape for field in ((s,) if isinstance(s, Tensor) else s)] for s in (state, other)]
        assert shapes[0] == shapes[1]
        assert ours.weight_hh_l0.grad.shape == ours.weight_hh_l0.shape

    @pytest.mark.parametrize("cell", ["lstm_peephole", "gru_reset_before", "jordan"])
    def test_lengths_noise_and_recompute(self, cell):
        with torch.device("meta"):
            layer = ostinato.Recurrent(cell, 4, 5, 2, recurrent_dropout=0.5, dropout=0.5, recompute=3)
            output, _ = layer(torch.randn(7, 3, 4), lengths=torch.ones(3, dtype=torch.int64))
            output.sum().backward()
            masked, _ = layer(torch.randn(7, 3, 4), mask=torch.ones(7, 3, dtype=torch.bool))
        assert output.shape == masked.shape == (7, 3, 5)

    def test_cells(self):
        with torch.device("meta"):
            h, c = ostinato.LSTMCell(4, 5)(torch.randn(3, 4))
        assert h.shape == c.shape == (3, 5)
