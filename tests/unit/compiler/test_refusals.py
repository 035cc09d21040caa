"""What no kernel has is named, with the line of the cell where it stands."""

import re
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from ostinato.compiler.trace import trace
from ostinato.compiler.tracer import CannotCompileError
from ostinato.core.states import HiddenState
from tests.unit.compiler.cells import Scan


def draws(x):
    return x * torch.rand_like(x)  # draws


def depends(x):
    return x if x.sum() > 0 else -x  # depends


def takes_a_number(x):
    return x * x.abs().max().item()  # takes_a_number


def mixes(x):
    return x - x.mean(0)  # mixes


def sorts(x):
    return x.sort(-1).values  # sorts


def multiplies(x):
    return (x @ x.t()) @ x  # multiplies


def overwrites(x):
    view = x[:, :1]
    y = x + 1
    y[:, :1] = view  # overwrites
    return y


def prints(x):
    print("a step")  # prints
    return x


def without_gradient(x):
    with torch.no_grad():
        scale = x.abs()  # without_gradient
    return x * scale


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.sign()  # rounds

    @staticmethod
    def backward(ctx, upstream):
        return upstream


def rounds(x):
    return Rounded.apply(x)


def loops(x):
    while (x > 1).any():  # loops
        x = x / 2
    return x


STEPS = [
    *(draws, depends, takes_a_number, mixes, sorts, multiplies, overwrites),
    *(prints, without_gradient, rounds, loops),
]


@dataclass(frozen=True)
class Refused(Scan):
    step_of: object = None

    def step(self, p, projected, state):
        h = self.step_of(projected.chunk(2, -1)[0] + state.h)
        return h[:, : self.output_size], HiddenState(h)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_no_kernel_can_have(step):
    lines = Path(__file__).read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.endswith(f"# {step.__name__}"))
    with pytest.raises(CannotCompileError, match=re.escape(f"{__file__}:{line})")):
        trace(Refused(3, 4, step_of=step))


def test_a_step_that_changes_the_cell():
    class Counting(Scan):
        def step(self, p, projected, state):
            object.__setattr__(self, "steps", getattr(self, "steps", 0) + 1)
            return super().step(p, projected, state)

    with pytest.raises(CannotCompileError, match="changes the cell itself"):
        trace(Counting(3, 4))


HISTORY = []


def test_a_step_that_keeps_things_outside():
    class Keeping(Scan):
        def step(self, p, projected, state):
            HISTORY.append(1)
            return super().step(p, projected, state)

    with pytest.raises(CannotCompileError, match=r"changes HISTORY.*test_refusals.py:\d+\)"):
        trace(Keeping(3, 4))
    kept = []

    class Counting(Scan):
        def step(self, p, projected, state):
            kept.append(1)
            return super().step(p, projected, state)

    with pytest.raises(CannotCompileError, match="changes kept"):
        trace(Counting(3, 4))


def test_others_may_print_meanwhile(capsys):
    printed = threading.Event()

    class Slow(Scan):
        def step(self, p, projected, state):
            thread = threading.Thread(target=lambda: (print("beside"), printed.set()))
            thread.start()
            thread.join()
            return super().step(p, projected, state)

    trace(Slow(3, 4))
    assert printed.is_set()
    assert capsys.readouterr().out == "beside\n"


def test_a_projection_that_mixes_steps_is_left_to_torch():
    class Convolved(Scan):
        def project(self, p, x):
            before = F.pad(x, (0, 0, 0, 0, 1, 0))[:-1]
            return super().project(p, x + before)

    assert trace(Convolved(3, 4)).projected
