"""The loop replayed: the loop's numbers, and no recording used by two. A stand-in for CUDA graphs replays on the CPU by
running what it recorded again, on the same memory; what needs a GPU is left out where there is none."""

import copy
import threading
import warnings
import weakref

import pytest
import torch
from torch.utils.checkpoint import checkpoint

import ostinato
from ostinato.cells.noise import StateNoise
from ostinato.cells.resets import Resets
from ostinato.cells.unroll import unroll
from ostinato.config.cells import CELL_NAMES
from ostinato.core.registry import lookup
from ostinato.kernels import Request, dispatch, find, graphs, recordings
from ostinato.kernels.cuda_graphs import Recorded

T, N = 9, 3
NO_GPU = not torch.cuda.is_available()
GPU = Request(torch.float32, "cuda", steps=T)


class StandIn:
    """Records nothing but the function. What it recorded has no values before it is replayed."""

    def __init__(self):
        self.recorded, self.replayed, self.size, self.taken = 0, 0, 0, 0
        self.fault = None

    def is_recording(self):
        return False

    def queue(self, device):
        return threading.get_ident()

    def record(self, device, functions):
        if self.fault:
            raise self.fault
        self.recorded, self.functions = self.recorded + 1, len(functions)
        for function in functions:
            function()
        self.taken += self.size
        found = [self._one(function, function()) for function in functions]
        with torch.no_grad():
            for result in (result for one in found for result in one.results):
                if result is not None:
                    result.fill_(torch.nan)
        return found

    def _one(self, function, results):
        grad, function = torch.is_grad_enabled(), weakref.WeakMethod(function)  # as a graph, which knows no function

        def replay():
            self.replayed += 1
            with torch.inference_mode(False), torch.set_grad_enabled(grad):
                found = function()()
            with torch.no_grad():
                for result, new in zip(results, found, strict=True):
                    if result is not None:
                        result.copy_(new)

        return Recorded(replay, results)

    def held(self, device):
        return self.taken

    def total(self, device):
        return 400


@pytest.fixture
def there(monkeypatch):
    """As if the CPU were a GPU; all that the package has besides is the loop."""
    there = StandIn()
    monkeypatch.setattr(graphs, "DEVICE", "cpu")
    monkeypatch.setattr(graphs, "recordings", recordings.Recordings(there))
    monkeypatch.setattr(dispatch, "IMPLEMENTATIONS", (graphs,))
    return there


class Call:
    """A cell, and tensors to call it with, each a leaf of its own."""

    def __init__(
        self, name, seed=0, *, example=0, steps=T, lengths=False, noise=False, resets=False, device="cpu", **how
    ):
        torch.manual_seed(seed)
        self.cell = cell = lookup(name).examples()[example]
        self.leaves = []

        def leaf(tensor):
            self.leaves.append(tensor.to(device).requires_grad_())
            return self.leaves[-1]

        def state():
            zeros = cell.initial_state(N, torch.zeros(()))
            return cell.State(*(leaf(field + 0.1 * torch.randn_like(field)) for field in zeros))

        self.p = {name: leaf(0.5 * torch.randn(one.shape)) for name, one in cell.parameters().items()}
        self.x, self.state, self.how = leaf(torch.randn(steps, N, cell.input_size)), state(), how
        if lengths:
            self.how["lengths"] = torch.tensor([steps, min(steps, 4), 0], device=device)
        if noise:
            mask = leaf(torch.rand_like(self.state[0]))
            self.how["noise"] = StateNoise(mask, [leaf(torch.rand(steps, *f.shape)) for f in self.state])
        if resets:
            self.how["resets"] = Resets((torch.rand(steps, N) < 0.3).to(device), state())

    def run(self, by):
        """All results in one list, and the first way that comes to mind to make one number of them."""
        ran = by(self.cell, self.p, self.x, self.state, **self.how)
        results = [ran.output, *ran.final, *(ran.states or ())]
        return results, sum((k + 1) * result.square().sum() for k, result in enumerate(results))

    def gradients(self, loss, **how):
        return torch.autograd.grad(loss, self.leaves, allow_unused=True, **how)

    def check(self, by=graphs.run):
        """Results and all gradients, against the loop."""
        results, loss = self.run(by)
        expected, right = self.run(unroll)
        torch.testing.assert_close(results, expected)
        torch.testing.assert_close(self.gradients(loss), self.gradients(right))


def warmed(*arguments, **options):
    """A call whose kind is recorded at its next use."""
    call = Call(*arguments, **options)
    for _ in range(recordings.SIGHTINGS):
        call.run(graphs.run)
    return call


CASES = [
    ("lstm", {"lengths": True}),
    ("gru_reset_before", {"noise": True}),
    ("lstm_layer_norm", {"resets": True, "reverse": True}),
    ("qrnn", {"keep_states": True}),
    ("lru", {"keep_states": True, "lengths": True, "resets": True}),
    ("slstm", {"noise": True, "lengths": True, "reverse": True, "keep_states": True, "resets": True}),
    ("mogrifier_lstm", {}),
]


@pytest.mark.parametrize(("name", "options"), CASES, ids=[name for name, _ in CASES])
def test_the_loops_numbers(there, name, options):
    for seed in range(6):
        Call(name, seed, **options).check()
    assert (there.recorded, there.replayed) == (1, 8)


@pytest.mark.parametrize("name", CELL_NAMES)
def test_every_cell(there, name):
    warmed(name, lengths=True).check()
    assert there.replayed == 2


@pytest.mark.parametrize("name", CELL_NAMES)
def test_no_cell_waits_for_a_value(name):
    """On the meta device there are none: what asked for one is refused there, as a capture refuses it."""
    call = Call(name, steps=2, device="meta", lengths=True, noise=True, resets=True, keep_states=True)
    call.gradients(call.run(unroll)[1])


def test_a_final_state_alone(there):
    """What only the outputs depend on has a gradient of zero, where the loop gives none."""
    call, found = warmed("lru"), []
    call.check()
    for by in (graphs.run, unroll):
        gradients = call.gradients(by(call.cell, call.p, call.x, call.state).final.re.sum())
        pairs = zip(call.leaves, gradients, strict=True)
        found.append([torch.zeros_like(leaf) if gradient is None else gradient for leaf, gradient in pairs])
    assert there.replayed == 4
    torch.testing.assert_close(*found)


def test_gradients_by_some(there):
    """A field of the state stays as it is: no gradient that is wanted goes there."""
    call = Call("qrnn", example=1)
    for leaf in call.leaves[1:]:
        leaf.requires_grad_(False)
    call.leaves = call.leaves[:1]
    for _ in range(3):
        results, loss = call.run(graphs.run)
    assert [result.requires_grad for result in results] == [True, True, False]
    assert [result.requires_grad for result in call.run(unroll)[0]] == [True, True, False]
    torch.testing.assert_close(call.gradients(loss), call.gradients(call.run(unroll)[1]))
    assert there.replayed == 2


@pytest.mark.parametrize("first", [0, 1])
def test_calls_that_wait_for_their_gradients_have_recordings_of_their_own(there, first):
    calls = [warmed("mgu"), Call("mgu", 1)]
    losses = [call.run(graphs.run)[1] for call in calls]
    assert there.recorded == 2
    for k in (first, 1 - first):
        torch.testing.assert_close(calls[k].gradients(losses[k]), calls[k].gradients(calls[k].run(unroll)[1]))
    del losses
    calls[0].check()
    assert there.recorded == 2


def test_a_call_that_feeds_another(there):
    """As a layer on a layer of the same sizes."""
    call = warmed("indrnn")
    cell = lookup("indrnn")(4, 4)
    p = {name: torch.randn(one.shape, requires_grad=True) for name, one in cell.parameters().items()}
    x, state = torch.randn(T, N, 4), call.cell.State(torch.zeros(N, 4))

    def loss(by):
        return by(cell, p, by(cell, p, x, state).output, state).output.square().sum()

    for _ in range(6):
        found = torch.autograd.grad(loss(graphs.run), p.values())
        torch.testing.assert_close(found, torch.autograd.grad(loss(unroll), p.values()))
    assert there.recorded == 2  # x wants no gradient, and the first layer's output does


def test_a_graph_that_is_dropped_frees_its_recording(there):
    call = warmed("mgu")
    for _ in range(5):
        call.run(graphs.run)
    assert (there.recorded, there.replayed) == (1, 5)


def test_only_so_many_calls_wait(there):
    call = warmed("mgu")
    losses = [call.run(graphs.run)[1] for _ in range(recordings.WAITING + 2)]
    assert there.recorded == recordings.WAITING
    expected = call.gradients(call.run(unroll)[1])
    for loss in losses:
        torch.testing.assert_close(call.gradients(loss), expected)


def test_lengths_that_always_change_are_not_recorded(there):
    for _ in range(3):
        for steps in range(8, 8 + recordings.KINDS + 1):
            Call("mgu", steps=steps).run(graphs.run)
    assert there.recorded == 0


def test_what_was_used_least_recently_goes_first(there):
    warmed("mgu").check()
    for steps in range(20, 20 + recordings.KINDS):
        Call("mgu", steps=steps).run(graphs.run)
    assert len(graphs.recordings) == 0
    warmed("mgu").check()
    assert there.recorded == 2


def test_a_recording_that_is_forgotten_still_has_gradients_to_give(there):
    call = warmed("mgu")
    loss = call.run(graphs.run)[1]
    graphs.recordings.forget()
    assert len(graphs.recordings) == 1
    torch.testing.assert_close(call.gradients(loss), call.gradients(call.run(unroll)[1]))
    assert there.replayed == 2
    assert len(graphs.recordings) == 0


def test_batches_of_nearly_one_length_share_a_recording(there):
    """What an earlier one left beyond the end does nothing."""
    for steps in (16, 9, 15, 9, 12, 16):
        call = Call("gru_reset_before", steps, steps=steps, lengths=True, noise=True, resets=True, keep_states=True)
        with torch.no_grad():
            call.x[4:, 1] = torch.nan
            call.x[:, 2] = torch.nan
        call.check()
    assert there.recorded == 1


def test_without_gradients(there):
    call = Call("mgu")
    expected = call.run(unroll)[0]
    for mode in (torch.inference_mode, torch.no_grad):
        for _ in range(4):
            with mode():
                found = call.run(graphs.run)[0]
            torch.testing.assert_close(found, expected)
            assert not found[0].requires_grad
    assert (there.recorded, there.functions, there.replayed) == (1, 1, 6)
    with torch.inference_mode():
        call = Call("mgu")
        torch.testing.assert_close(call.run(graphs.run)[0], call.run(unroll)[0])
    assert there.recorded == 1


def test_results_are_the_callers(there):
    call = warmed("mgu")
    results, loss = call.run(graphs.run)
    gradients = call.gradients(loss)
    kept = [tensor.clone() for tensor in (*results, *gradients)]
    Call("mgu", 1).check()
    torch.testing.assert_close([*results, *gradients], kept)


def test_weights_that_change_between(there):
    call = warmed("mgu")
    loss, expected = call.run(graphs.run)[1], call.gradients(call.run(unroll)[1])
    with torch.no_grad():
        for tensor in call.p.values():
            tensor.add_(1)
    torch.testing.assert_close(call.gradients(loss), expected)
    call.check()
    assert there.recorded == 1


def test_gradients_asked_for_twice(there):
    call = warmed("mgu")
    loss = call.run(graphs.run)[1]
    expected = call.gradients(call.run(unroll)[1])
    torch.testing.assert_close(call.gradients(loss, retain_graph=True), expected)
    Call("mgu", 1).check()  # by the recording, which is free
    assert there.recorded == 1
    torch.testing.assert_close(call.gradients(loss, retain_graph=True), expected)
    with torch.no_grad():
        call.p["weight_hh"].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        call.gradients(loss)


def test_gradients_of_gradients(there):
    call, found = warmed("mgu"), []
    for by in (graphs.run, unroll):
        first = call.gradients(call.run(by)[1], create_graph=True)
        found.append(call.gradients(sum(gradient.square().sum() for gradient in first)))
    assert there.replayed == 1
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


def test_many_gradients_at_once(there):
    call, many, found = warmed("mgu"), torch.randn(4, T, N, 5), []
    for by in (graphs.run, unroll):
        output = by(call.cell, call.p, call.x, call.state).output
        found.append(torch.autograd.grad(output, call.leaves, many[..., : output.shape[-1]], is_grads_batched=True))
    assert there.replayed == 1
    torch.testing.assert_close(*found)


def test_what_changes_the_kernels_is_another_kind(there):
    warmed("mgu").check()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        Call("mgu").check()
    finally:
        torch.set_float32_matmul_precision(before)
    assert (there.recorded, there.replayed) == (1, 2)
    Call("mgu", reverse=True).check()
    assert there.replayed == 2


def test_memory_is_bounded_and_what_is_idle_makes_room(there, monkeypatch):
    monkeypatch.setattr(recordings, "PATIENCE", 6)
    there.size = 60  # of 400, a quarter of which may be taken
    warmed("mgu").check()
    with pytest.warns(UserWarning, match="'min_gru' runs step by step on the GPU: .* more than 25%"):
        warmed("min_gru").check()
    assert there.recorded == 2
    assert len(graphs.recordings) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(8):
            Call("min_gru").check()  # until the first has not been used for long
        Call("min_gru").check()
    assert (there.recorded, len(graphs.recordings)) == (3, 1)


@pytest.mark.parametrize("fault", [RuntimeError("it waits"), torch.OutOfMemoryError("all is taken")])
def test_what_cannot_be_recorded_runs_by_the_loop(there, fault):
    call, there.fault = warmed("mgu"), fault
    with pytest.warns(UserWarning, match="it waits|too little of the GPU's memory"):
        call.check()
    there.fault = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call.check()
    assert there.recorded == 0


def test_two_threads_do_not_share_a_recording(there):
    calls, found = [warmed("mgu"), Call("mgu", 1)], {}

    def work(k):
        for _ in range(12):
            calls[k].check()
        found[k] = True

    threads = [threading.Thread(target=work, args=(k,)) for k in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: True, 1: True}
    assert there.recorded == 2


def trained(layer, steps=6):
    """Losses of some steps of training on changing batches, and the weights then."""
    optimizer, losses = torch.optim.Adam(layer.parameters(), 0.01), []
    for seed in range(steps):
        torch.manual_seed(seed)
        x, lengths = torch.randn(T, N, 4), torch.tensor([T, 5, 2])
        output, _ = layer(x, lengths=lengths)
        loss = (output - x.mean()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses, [tensor.detach() for tensor in layer.parameters()]


@pytest.mark.parametrize("recompute", [None, 8])
def test_training_by_layers(there, monkeypatch, recompute):
    options = {"num_layers": 2, "bidirectional": True, "recurrent_dropout": 0.2, "zoneout": 0.1}
    layer = ostinato.Recurrent("mgu", 4, 5, recompute=recompute, **options)
    other = copy.deepcopy(layer)
    found = trained(layer)
    assert there.replayed > 20
    monkeypatch.setattr(dispatch, "IMPLEMENTATIONS", ())
    torch.testing.assert_close(found, trained(other))


def test_autocast(there):
    layer, x = ostinato.Recurrent("mgu", 4, 5), torch.randn(T, N, 4)
    for _ in range(4):
        with torch.autocast("cpu", torch.bfloat16):
            output, _ = layer(x)
            assert output.dtype == torch.bfloat16
        loss = output.float().square().sum()
        found = torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True)
        torch.testing.assert_close(found, torch.autograd.grad(loss, list(layer.parameters())))
    assert there.recorded == 1


def test_checkpoints_of_torch(there):
    layer, x = ostinato.Recurrent("mgu", 4, 5), torch.randn(T, N, 4)
    for _ in range(5):
        found = torch.autograd.grad(checkpoint(layer, x, use_reentrant=False)[0].sum(), list(layer.parameters()))
        torch.testing.assert_close(found, torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters())))


def test_what_is_replayed_and_why_not(monkeypatch):
    mgu = lookup("mgu")(3, 5)
    assert find(mgu, GPU).name == "graphs"
    assert find(lookup("lstm")(3, 5), GPU).name == "torch"
    assert find(lookup("lstm")(3, 5), GPU._replace(lengths=True)).name == "graphs"
    for request in (GPU._replace(steps=7), GPU._replace(steps=5000)):
        assert "graphs: only from 8 to 1000 steps" in find(mgu, request).reason
    assert "graphs: only on GPUs" in find(mgu, GPU._replace(device="meta", dtype=torch.float64)).reason
    with monkeypatch.context() as patched:
        patched.setattr(torch, "is_anomaly_enabled", lambda: True)
        assert "graphs: no detection of anomalies" in find(mgu, GPU).reason
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        assert "graphs: somebody watches" in find(mgu, GPU).reason
    monkeypatch.setenv("OSTINATO_CUDA_GRAPHS", "0")
    assert "graphs: turned off" in find(mgu, GPU).reason


@pytest.mark.slow
def test_a_layer_that_is_compiled_is_not_replayed(there):
    layer, x = ostinato.Recurrent("mgu", 4, 5), torch.randn(T, N, 4)
    compiled = torch.compile(layer, backend="aot_eager")
    for _ in range(4):
        torch.testing.assert_close(compiled(x)[0], layer(x)[0])
    assert there.replayed == 2  # the plain calls, from the third on


@pytest.mark.skipif(NO_GPU, reason="no GPU")
@pytest.mark.parametrize(("name", "options"), CASES, ids=[name for name, _ in CASES])
def test_the_loops_numbers_on_a_gpu(name, options):
    graphs.recordings.forget()
    for seed in range(6):
        Call(name, seed, device="cuda", **options).check()
    assert len(graphs.recordings) == 1


@pytest.mark.skipif(NO_GPU, reason="no GPU")
def test_calls_that_wait_on_a_gpu():
    graphs.recordings.forget()
    calls = [warmed("mgu", device="cuda"), *(Call("mgu", seed, device="cuda") for seed in (1, 2))]
    losses = [call.run(graphs.run)[1] for call in calls]
    assert len(graphs.recordings) == 3
    for k in (1, 0, 2):
        torch.testing.assert_close(calls[k].gradients(losses[k]), calls[k].gradients(calls[k].run(unroll)[1]))


@pytest.mark.skipif(NO_GPU, reason="no GPU")
def test_training_on_a_gpu(monkeypatch):
    graphs.recordings.forget()
    found = []
    for turned_on in "10":
        monkeypatch.setenv("OSTINATO_CUDA_GRAPHS", turned_on)
        torch.manual_seed(0)
        layer = ostinato.Recurrent("mgu", 4, 5, num_layers=2, bidirectional=True).cuda()
        with torch.device("cuda"):
            found.append(trained(layer))
    assert len(graphs.recordings) > 0
    torch.testing.assert_close(*found)


@pytest.mark.skipif(NO_GPU, reason="no GPU")
@pytest.mark.parametrize(
    "asked", [lambda x: x.sum().item(), lambda x: torch.rand_like(x)], ids=["waits", "draws random numbers"]
)
def test_a_step_that_cannot_be_recorded_runs_by_the_loop_and_random_numbers_still_come(asked):
    call = Call("mgu", device="cuda")

    class Asking(type(call.cell)):
        def step(self, p, projected, state):
            asked(projected)
            return super().step(p, projected, state)

    call.cell = Asking(call.cell.input_size, call.cell.hidden_size)
    for _ in range(recordings.SIGHTINGS):
        call.check()
    with pytest.warns(UserWarning, match="runs step by step on the GPU"):
        call.check()
    torch.nn.functional.dropout(torch.ones(9, device="cuda"))
    call.check()
