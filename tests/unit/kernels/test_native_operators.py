"""The two ways to the native library: by torch's operators where something listens to them, and past them."""

from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ostinato.kernels import native_calls
from ostinato.kernels import native_cells as native
from tests.unit.kernels.test_native import CELLS, Problem, cell_of


class Listening(TorchDispatchMode):
    """Counts the package's operators."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "ostinato":
            self.heard.append(func.overloadpacket._qualified_op_name.removeprefix("ostinato::"))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("noise", ["", "mask zoneout"])
def test_both_ways_give_the_same_bits(name, ragged, noise, library):
    problem = Problem(cell_of(name, 3, 18), 5, 3, ragged=ragged, noise=noise)
    past = problem.results(native.run, torch.float32, keep_states=True)
    with Listening() as mode:
        by = problem.results(native.run, torch.float32, keep_states=True)
    assert mode.heard == ["recurrence_saving", "recurrence_backward"]
    for key, tensor in past.items():
        torch.testing.assert_close(by[key], tensor, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", ["lstm", "jordan"])
def test_tensors_that_a_hook_packed_are_read_where_they_are_now(name, library):
    problem = Problem(cell_of(name, 3, 18), 5, 3)
    expected = problem.results(native.run, torch.float32)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t.clone()):
        found = problem.results(native.run, torch.float32)
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, rtol=0, atol=0)


def test_a_weight_changed_before_backward_is_refused(library):
    problem = Problem(cell_of("lstm", 3, 4), 5, 2)
    leaves = [tensor.detach().requires_grad_() for tensor in problem.tensors()]
    loss = problem.run(native.run, leaves).output.sum()
    with torch.no_grad():
        leaves[-1].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_precision_of_backward_is_that_asked_for_then(library, monkeypatch):
    asked = []
    backward = type(library).backward
    monkeypatch.setattr(type(library), "backward", lambda self, run: (asked.append(run.precision), backward(self, run)))
    problem = Problem(cell_of("lstm", 3, 18), 5, 3)
    leaves = [tensor.detach().requires_grad_() for tensor in problem.tensors()]
    try:
        for wanted in ("medium", "highest"):
            loss = problem.run(native.run, leaves).output.sum()
            torch.set_float32_matmul_precision(wanted)
            loss.backward()
    finally:
        torch.set_float32_matmul_precision("highest")
    assert asked == [native_calls.PRECISIONS.index("medium"), native_calls.PRECISIONS.index("highest")]


def test_a_profiler_sees_the_operators(library):
    problem = Problem(cell_of("gru", 3, 4), 5, 2)
    with torch.profiler.profile() as profile:
        problem.results(native.run, torch.float32)
    seen = {event.key for event in profile.key_averages()}
    assert {"ostinato::recurrence_saving", "ostinato::recurrence_backward"} <= seen


@pytest.mark.parametrize("listening", [False, True])
@pytest.mark.parametrize("only", ["h", "c", "bias_hh"])
def test_one_gradient_alone(only, listening, library):
    problem = Problem(cell_of("lstm", 3, 18), 5, 3)
    expected = problem.results(native.run, torch.float32)
    tensors = [tensor.detach() for tensor in problem.tensors()]
    index = [*"xhc", *problem.p].index(only)
    tensors[index].requires_grad_()
    with Listening() if listening else nullcontext():
        ran = problem.run(native.run, tensors)
        outputs = (ran.output, *ran.final)
        generator = torch.Generator().manual_seed(1)
        upstream = [torch.randn(out.shape, generator=generator) for out in outputs]
        (found,) = torch.autograd.grad(outputs, tensors[index], upstream)
    torch.testing.assert_close(found, expected[f"grad {only}"], rtol=0, atol=0)
