"""What PyTorch programs do to layers: compile, transform, copy, send, fork, run in threads and in several processes."""

import copy
import os
import pickle
import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, jvp, vmap

import ostinato
from ostinato.losses import linear_cross_entropy
from ostinato.tasks.lm.model import LanguageModel

#: What torch.compile's own compiler takes.
CAN_COMPILE = shutil.which("c++") and (Path(sysconfig.get_path("include")) / "Python.h").exists()
CELLS = ("rnn", "lstm", "gru", "lstm_peephole", "jordan")


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


class Model(nn.Module):
    """Several layers of ours between others."""

    def __init__(self, cell: str = "lstm", **options: object) -> None:
        super().__init__()
        self.first = nn.Linear(4, 5)
        self.recurrent = ostinato.Recurrent(cell, 5, 6, 2, bidirectional=True, **options)
        self.last = ostinato.GRU(12, 3)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        output, _ = self.recurrent(self.first(x).relu(), lengths=lengths)
        return self.last(output)[0]


def run_python(script: str, **environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert not ran.returncode, ran.stderr[-3000:]
    return ran.stdout


class TestCompiled:
    def same(self, backend: str, cell: str, x: Tensor, *rest: Tensor) -> None:
        torch._dynamo.reset()
        model = Model(cell)
        compiled = torch.compile(model, backend=backend, fullgraph=True)
        output = compiled(x, *rest)
        torch.testing.assert_close(output, model(x, *rest), rtol=1e-4, atol=1e-5)
        found = torch.autograd.grad(output.square().sum(), list(model.parameters()))
        expected = torch.autograd.grad(model(x, *rest).square().sum(), list(model.parameters()))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("cell", CELLS)
    def test_one_graph(self, cell):
        # all of torch.compile but the C++ compiler
        self.same("aot_eager", cell, torch.randn(7, 3, 4))

    @pytest.mark.slow
    @pytest.mark.skipif(not CAN_COMPILE, reason="needs a C++ compiler and Python.h")
    def test_by_inductor(self):
        self.same("inductor", "lstm", torch.randn(7, 3, 4))

    def test_dynamic_shapes(self):
        model = Model()
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=True)
        for T, N in ((7, 3), (9, 4), (2, 5)):
            x = torch.randn(T, N, 4)
            torch.testing.assert_close(compiled(x), model(x))


class TestTransformed:
    @pytest.mark.parametrize("cell", CELLS)
    def test_gradients_of_each_sequence(self, cell):
        layer, x = ostinato.Recurrent(cell, 4, 5), torch.randn(6, 3, 4)
        p = dict(layer.named_parameters())

        def loss(p: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(layer, p, (x,))[0].square().sum()

        found = vmap(grad(loss), in_dims=(None, 1))(p, x)
        for n in range(3):
            expected = torch.autograd.grad(layer(x[:, n])[0].square().sum(), list(p.values()))
            torch.testing.assert_close([g[n] for g in found.values()], list(expected), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("cell", CELLS)
    def test_jacobians_forward_and_backward(self, cell):
        layer, x, v = ostinato.Recurrent(cell, 4, 5), torch.randn(6, 2, 4), torch.randn(6, 2, 4)

        def function(x: Tensor) -> Tensor:
            return layer(x)[0]

        jacobian = jacrev(function)(x)
        expected = torch.autograd.functional.jacobian(function, x)
        torch.testing.assert_close(jacobian, expected, rtol=1e-4, atol=1e-5)
        output, tangent = jvp(function, (x,), (v,))
        torch.testing.assert_close(output, function(x), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(tangent, torch.tensordot(expected, v, dims=3), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("cell", CELLS)
    @pytest.mark.parametrize("recompute", [None, 2])
    def test_many_gradients_at_once(self, cell, recompute):
        layer, x = ostinato.Recurrent(cell, 4, 5, recompute=recompute), torch.randn(6, 2, 4)

        def function(x: Tensor) -> Tensor:
            return layer(x)[0]

        expected = torch.autograd.functional.jacobian(function, x)
        found = torch.autograd.functional.jacobian(function, x, vectorize=True)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        x.requires_grad_()
        output = function(x)
        each = torch.eye(output.numel()).view(-1, *output.shape)
        found = vmap(lambda v: torch.autograd.grad(output, x, v, retain_graph=True)[0])(each)
        torch.testing.assert_close(found.view_as(expected), expected, rtol=1e-4, atol=1e-5)

    def test_noise_of_each_sequence(self):
        """As torch.nn.functional.dropout, vmap gives each its own."""
        noise = {"dropout": 0.5, "recurrent_dropout": 0.5, "zoneout": 0.3, "weight_drop": 0.5}
        layer, x = ostinato.GRU(4, 5, 2, **noise), torch.randn(6, 1, 4).expand(6, 3, 4)
        p = dict(layer.named_parameters())

        def loss(p: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(layer, p, (x,))[0].square().sum()

        found = vmap(grad(loss), in_dims=(None, 1), randomness="different")(p, x)
        assert not torch.equal(found["weight_hh_l0"][0], found["weight_hh_l0"][1])
        alike = vmap(grad(loss), in_dims=(None, 1), randomness="same")(p, x)
        torch.testing.assert_close(alike["weight_hh_l0"][0], alike["weight_hh_l0"][1])

    def test_compiled_together(self):
        layer, x = ostinato.LSTM(4, 5), torch.randn(6, 2, 4)

        def loss(x: Tensor) -> Tensor:
            return layer(x)[0].square().sum()

        torch._dynamo.reset()
        compiled = torch.compile(grad(loss), backend="aot_eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), grad(loss)(x), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("tied", [False, True])
    def test_a_language_model(self, tied):
        model, ids = LanguageModel(11, 5, 5, tied=tied), torch.randint(11, (6, 3))
        p = dict(model.named_parameters())

        def loss(p: dict[str, Tensor], ids: Tensor) -> Tensor:
            output = functional_call(model, p, (ids.unsqueeze(1),))
            hidden = output.hidden.flatten(0, 1)
            return linear_cross_entropy(hidden, output.weight, output.bias, ids)

        found = vmap(grad(loss), in_dims=(None, 1))(p, ids)
        for n in range(3):
            expected = torch.autograd.grad(loss(p, ids[:, n]), list(p.values()))
            torch.testing.assert_close([g[n] for g in found.values()], list(expected), rtol=1e-4, atol=1e-5)
        weights = list(p.values())
        losses = torch.stack([loss(p, ids[:, n]) for n in range(3)])
        together = torch.autograd.grad(losses, weights, torch.eye(3), is_grads_batched=True)
        for one, other in zip(together, found.values(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("cell", CELLS)
    def test_second_derivatives(self, cell):
        layer, x = ostinato.Recurrent(cell, 4, 5), torch.randn(6, 2, 4)
        precise = copy.deepcopy(layer).double()

        def second(layer: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
            x = x.clone().requires_grad_()
            (first,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
            return torch.autograd.grad(first.square().sum(), [x, *layer.parameters()])

        for found, expected in zip(second(layer, x), second(precise, x.double()), strict=True):
            torch.testing.assert_close(found, expected.float(), rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("cell", CELLS)
    @pytest.mark.parametrize("recompute", [None, 2])
    def test_gradients_of_a_layer_that_reads_its_own_output(self, cell, recompute):
        """The same weights twice, one above the other: each use counts once."""
        layer, x = ostinato.Recurrent(cell, 4, 4, recompute=recompute), torch.randn(6, 2, 4)
        if cell == "jordan":
            layer = ostinato.Recurrent(cell, 4, 6, output_units=4, recompute=recompute)

        def first(layer: nn.Module, x: Tensor, **create: bool) -> tuple[Tensor, ...]:
            return torch.autograd.grad(layer(layer(x)[0])[0].square().sum(), list(layer.parameters()), **create)

        expected = first(layer, x)
        torch.testing.assert_close(first(layer, x, create_graph=True), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_copies_and_pickles_are_the_same_layer(cell):
    layer, x = ostinato.Recurrent(cell, 4, 5, 2, bidirectional=True, recompute=3), torch.randn(6, 2, 4)
    layer(x)[0].sum().backward()
    expected = layer(x)[0]
    other = ostinato.Recurrent(cell, 4, 5, 2, bidirectional=True)
    other.load_state_dict(layer.state_dict())
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), copy.copy(layer), other):
        assert torch.equal(again(x)[0], expected)
    cloned = copy.deepcopy(layer)
    with torch.no_grad():
        cloned.weight_hh_l0.add_(1)
    assert torch.equal(layer(x)[0], expected)


@pytest.mark.slow
def test_as_many_threads_as_torch_says(library):
    script = (
        "import os, sys, torch, ostinato\n"
        "torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else {n})\n"
        "layer, x = ostinato.LSTM(64, 64), torch.randn(50, 16, 64)\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "with torch.no_grad(): layer(x)\n"
        "print(len(os.listdir('/proc/self/task')) - before)"
    )
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("counts threads in /proc")
    for n in (1, 3):
        assert int(run_python(script.format(n=n))) == n - 1


def test_several_python_threads_at_once():
    torch.set_num_threads(2)
    model, xs = Model(), torch.randn(6, 20, 3, 4)
    expected = [torch.autograd.grad(model(x).square().sum(), list(model.parameters())) for x in xs]
    found: dict[int, list[object]] = {i: [] for i in range(6)}

    def work(i: int) -> None:
        torch.set_num_threads(2)
        for _ in range(5):
            found[i].append(torch.autograd.grad(model(xs[i]).square().sum(), list(model.parameters())))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, each in found.items():
        assert len(each) == 5
        for grads in each:
            torch.testing.assert_close(grads, expected[i])


FORK = """
import os, torch, ostinato
torch.set_num_threads(2)
layer, x = ostinato.LSTM(64, 64), torch.randn(50, 16, 64)
expected = layer(x)[0].detach()  # now there is a team of threads, which a fork does not copy
stream = layer.stream(16)
first = stream.step(x[0])
"""


def test_a_forked_process(library):
    # torch's own operations would wait for ever in the child, so NumPy compares
    script = FORK + (
        "whole, second = expected.numpy(), stream.step(x[1]).numpy()\n"
        "stream.reset(); stream.step(x[0])\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    with torch.no_grad(): found = layer(x)[0].numpy()\n"
        "    os._exit(0 if (found == whole).all() and (stream.step(x[1]).numpy() == second).all() else 1)\n"
        "print(os.waitpid(child, 0)[1], torch.equal(layer(x)[0], expected))"
    )
    assert run_python(script).split() == ["0", "True"]


def test_a_process_forked_before_the_first_call(library):
    """The library shares torch's threads, which a fork does not copy: it has to know of the fork."""
    script = (
        "import os, torch, ostinato\n"
        "torch.set_num_threads(2)\n"
        "layer, x = ostinato.LSTM(64, 64), torch.randn(20, 16, 64)\n"
        "torch.ones(10_000_000).sum()  # now torch has threads\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    with torch.no_grad(): layer(x)\n"
        "    os._exit(0)\n"
        "print(os.waitpid(child, 0)[1])"
    )
    assert run_python(script).split() == ["0"]


@pytest.mark.slow
def test_workers_of_a_data_loader(library):
    script = FORK + (
        "class Data(torch.utils.data.Dataset):\n"
        "    def __len__(self): return 4\n"
        "    def __getitem__(self, i): return layer(x)[0].detach()\n"
        "loader = torch.utils.data.DataLoader(Data(), num_workers=2, multiprocessing_context='fork', batch_size=None)\n"
        "print([torch.equal(y, expected) for y in loader])"
    )
    assert run_python(script).strip() == "[True, True, True, True]"


DDP = """
import os, sys, torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
import ostinato

def work(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layer, x = ostinato.LSTM(4, 5, 2, bidirectional=True), torch.randn(6, 8, 4)
    parallel = DistributedDataParallel(layer)
    for _ in range(2):
        parallel.zero_grad()
        parallel(x[:, rank * 4 : rank * 4 + 4])[0].square().mean().backward()
    found = [p.grad.clone() for p in layer.parameters()]
    expected = torch.autograd.grad(layer(x)[0].square().mean(), list(layer.parameters()))
    torch.testing.assert_close(found, list(expected))
    dist.destroy_process_group()

if __name__ == "__main__":
    torch.multiprocessing.spawn(work, (sys.argv[1],), nprocs=2)
    print("same")
"""


@pytest.mark.slow
def test_distributed_data_parallel(tmp_path):
    (tmp_path / "ddp.py").write_text(DDP)
    ran = subprocess.run(
        [sys.executable, str(tmp_path / "ddp.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ran.stdout.strip() == "same", ran.stderr[-3000:]


@pytest.mark.parametrize(
    ("cell", "given", "name"),
    [
        ("lstm", {}, "torch"),
        ("gru", {"keep_states": True}, "torch"),
        ("lstm_peephole", {}, "graphs"),
        ("gru_reset_before", {"steps": 4}, "reference"),
        ("lstm", {"noise": True}, "graphs"),
        ("lstm", {"lengths": True}, "graphs"),
    ],
)
def test_on_a_gpu_torchs_layers_run_what_torch_has_and_graphs_the_rest(cell, given, name):
    from ostinato.core.registry import lookup
    from ostinato.kernels import Request, find

    choice = find(lookup(cell)(3, 5), Request(torch.float32, "cuda", **{"steps": 20, **given}))
    assert choice.name == name
    assert bool(choice.reason) == (name == "reference")


class Reader(nn.Module):
    """A layer, a single step and a product, as programs that rewrite models find them."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.step, self.last = ostinato.LSTM(3, 4), ostinato.GRUCell(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        output, (h, _) = self.layer(x, lengths=lengths)
        return self.last(self.step(output[-1], h[0]))


def test_a_graph_has_our_layers_as_whole_nodes():
    model, x, lengths = Reader(), torch.randn(5, 2, 3), torch.tensor([5, 2])
    traced = torch.fx.symbolic_trace(model)
    assert [n.target for n in traced.graph.nodes if n.op == "call_module"] == ["layer", "step", "last"]
    torch.testing.assert_close(traced(x, lengths), model(x, lengths))


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_quantisation_leaves_them_whole_and_says_so():
    model, x, lengths = Reader().eval(), torch.randn(5, 2, 3), torch.tensor([5, 2])
    with pytest.warns(UserWarning, match=r"LSTM stays as it is, in torch.float32: .* state_dict before quantising"):
        small = torch.ao.quantization.quantize_dynamic(model)
    assert type(small.layer) is ostinato.LSTM
    assert type(small.last) is not nn.Linear
    torch.testing.assert_close(small(x, lengths), model(x, lengths), rtol=0.1, atol=0.05)
    assert not hasattr(model.layer, "qconfig")
    from torch.ao.quantization.quantize_fx import prepare_fx

    mapping = torch.ao.quantization.get_default_qconfig_mapping()
    prepared = prepare_fx(model, mapping, (x, lengths))
    torch.testing.assert_close(prepared(x, lengths), model(x, lengths))


@pytest.mark.parametrize(("kind", "options"), [("LSTM", {"proj_size": 2}), ("GRU", {})])
def test_torchs_counter_counts_our_products(kind, options):
    """As many as the reference's, whose products torch itself counts; what is 0 by x and h0 is left out there."""
    from torch.utils.flop_counter import FlopCounterMode

    layer, x = getattr(ostinato, kind)(3, 4, **options), torch.randn(5, 2, 3)
    counts = []
    for dtype in (torch.float32, torch.float64):
        state = [torch.zeros(1, 2, s, dtype=dtype, requires_grad=True) for s in (options.get("proj_size", 4), 4)]
        leaf = x.to(dtype).requires_grad_()
        with FlopCounterMode(display=False) as counter:
            layer.to(dtype)(leaf, tuple(state) if kind == "LSTM" else state[0])[0].sum().backward()
        counts.append(counter.get_total_flops())
    assert (
        counts[0] == counts[1] == 3 * 2 * 5 * 2 * sum(p.numel() for n, p in layer.named_parameters() if "weight" in n)
    )


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"recompute": 2}], ids=str)
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_an_output_may_be_changed_in_place(kind, options):
    """As torch.nn's RNN and GRU allow on the CPU: the gradients are those of the output as it was."""
    layer, x = getattr(ostinato, kind)(4, 5, **options), torch.randn(6, 3, 4)
    expected = torch.autograd.grad(layer(x)[0].relu().sum(), list(layer.parameters()))
    output, _ = layer(x)
    found = torch.autograd.grad(output.relu_().sum(), list(layer.parameters()))
    torch.testing.assert_close(found, expected)


def test_nothing_else_may_be_changed_in_place(library):
    layer, x = ostinato.GRU(4, 5), torch.randn(6, 3, 4)
    for changed in (layer.weight_hh_l0, x):
        output, _ = layer(x)
        with torch.no_grad():
            changed.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            output.relu_().sum().backward()


def test_two_derivatives_after_a_change_in_place():
    layer, x = ostinato.GRU(4, 5), torch.randn(6, 3, 4, requires_grad=True)
    found = []
    for in_place in (False, True):
        output, _ = layer(x)
        output = output.mul_(3) if in_place else output * 3
        (first,) = torch.autograd.grad(output.square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), x)[0])
    torch.testing.assert_close(found[0], found[1])
