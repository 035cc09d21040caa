"""Gradients by the states of recurrent layers, and what their units do, step by step, in somebody's module.

A layer of torch.nn shows neither: while it is looked into, one of this package with the same weights runs in its place.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.advice.recurrent import STEPS
from ostinato.cells.contract import Cell
from ostinato.cells.unroll import Unrolled, unroll
from ostinato.core.legend import Parameters
from ostinato.inspection.gates import Eye
from ostinato.inspection.watching import Place, SteppedCell, watching
from ostinato.layers import drop_in
from ostinato.layers.recurrent import Recurrent


@dataclass
class Ran:
    """A cell over a sequence, in one layer and direction.

    Attributes:
        label: which, for people.
        states: before each step, and after the last, in the order in which they were computed; the fields of each.
        gates: `[T, N, H]` by gate, of those whose values come to light.
        functions: what squashes each.
        initial: how many of the states come before any step.
    """

    label: str
    states: list[tuple[Tensor, ...]]
    gates: dict[str, Tensor]
    functions: dict[str, str]
    initial: int = 1


@contextmanager
def looking_inside(module: nn.Module) -> Iterator[list[Ran]]:
    """Within the block the recurrent layers of a module are looked into, call by call.

    Yields:
        What is filled while the module runs. Cells that the module steps through by itself have their states there
        once the block ends, a row of steps for each cell.
    """
    found: list[Ran] = []
    stepped: dict[str, list[tuple[Tensor, ...]]] = {}
    with ExitStack() as stack:
        for name, part in module.named_modules():
            if type(part) in drop_in.TWINS:
                twin = drop_in.twin_of(part)
                handle = part.register_forward_hook(_in_place_of(name, twin, found), with_kwargs=True)
                stack.callback(handle.remove)
            elif isinstance(part, STEPS):
                handle = part.register_forward_hook(_stepping(stepped.setdefault(name, [])))
                stack.callback(handle.remove)
        ours = {name for name, part in module.named_modules() if isinstance(part, Recurrent)}
        if ours:
            stack.enter_context(watching(module, _watcher(found), ours))
        yield found
    found += [_of_steps(module.get_submodule(name), name, states) for name, states in stepped.items() if states]


def _in_place_of(name: str, twin: Recurrent, found: list[Ran]) -> Any:
    def hook(layer: nn.Module, args: Any, kwargs: Any, result: Any) -> Any:
        with watching(twin, _watcher(found, name), {""}):
            return twin(*args, **kwargs)

    return hook


def _watcher(found: list[Ran], module: str | None = None) -> Any:
    def watcher(place: Place, cell: Cell, p: Parameters, x: Tensor, state: Any, **options: Any) -> Unrolled:
        eye, states = Eye(cell, p), []

        def step(p: Parameters, projected: Tensor, before: Any) -> tuple[Tensor, Any]:
            states.append(tuple(before))
            return eye.step(p, projected, before)

        # a leaf of its own for the initial state, so that it too has a gradient
        start = cell.State(*(field + torch.zeros_like(field, requires_grad=True) for field in state))
        ran = unroll(SteppedCell(cell, step).as_cell(), p, x, start, **options)
        states.append(tuple(ran.final))
        gates = {gate: values.detach() for gate, values in eye.taken(place.reverse).items()}
        label = (place if module is None else place._replace(name=module)).label
        found.append(Ran(label, states, gates, dict(eye.functions)))
        return ran

    return watcher


def _of_steps(cell: nn.Module, name: str, states: list[tuple[Tensor, ...]]) -> Ran:
    squashed = isinstance(cell, nn.RNNCell) and cell.nonlinearity == "tanh" and len({s[0].shape for s in states}) == 1
    gates = {"h": torch.stack([state[0].detach() for state in states])} if squashed else {}
    return Ran(name or type(cell).__name__, states, gates, dict.fromkeys(gates, "tanh"), initial=0)


def _stepping(states: list[tuple[Tensor, ...]]) -> Any:
    def hook(layer: nn.Module, args: Any, result: Any) -> None:
        after = result if isinstance(result, tuple) else (result,)
        states.append(tuple(after))

    return hook
