"""What gates and states do over a sequence."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ostinato import kernels
from ostinato.cells.contract import Cell
from ostinato.cells.unroll import Unrolled, unroll
from ostinato.core.errors import ConfigError
from ostinato.core.legend import Parameters
from ostinato.inspection.arrays import Array, array
from ostinato.inspection.watching import Activations, Place, SteppedCell, probe, watching

#: Below and above which a unit counts as saturated, by the function that squashes it. For sigmoids those of Karpathy,
#: Johnson, Fei-Fei 2015, Visualizing and understanding recurrent networks, arXiv:1506.02078; for the others likewise.
LIMITS = {"sigmoid": (0.1, 0.9), "hardsigmoid": (0.1, 0.9), "tanh": (-0.9, 0.9), "hardtanh": (-0.9, 0.9)}


@dataclass(frozen=True)
class Record:
    """What went on in one layer, in one direction.

    Attributes:
        place: which layer.
        cell: name of its cell.
        gates: `[T, N, H]` by gate, in the cell's order, after the squashing function.
        states: `[T, N, size]` by field of the cell's state, after each step.
        functions: by gate, the name of the squashing function.
        unseen: gates whose values do not come to light; see `watching.probe`.
    """

    place: Place
    cell: str
    gates: dict[str, Array]
    states: dict[str, Array]
    functions: dict[str, str]
    unseen: tuple[str, ...]

    def limits(self, gate: str) -> tuple[float, float] | None:
        """Below and above which the gate counts as saturated; None where its function has no two ends."""
        return LIMITS.get(self.functions[gate])


class Saturation(NamedTuple):
    """Share of the steps, from 0 to 1, that each unit spends at either end: `left` and `right`, `[H]` each."""

    left: Array
    right: Array


@torch.no_grad()
def record(
    model: nn.Module, *inputs: Any, gates: bool = True, modules: Collection[str] | None = None, **arguments: Any
) -> list[Record]:
    """Run a model once, and keep every gate and state of its recurrent layers.

    The values come from the cell's own `step`, whichever cell it is, over the reference loop; nothing is computed a
    second time by another formula. A layer that the model calls several times has a record for each call. Where
    sequences have `lengths`, gates beyond them are those of padding: leave these steps out before counting.

    Args:
        model: any module with recurrent layers of this package, or such a layer; usually in eval mode.
        *inputs: what it is called with.
        gates: False keeps the states alone, by the fastest kernel there is.
        modules: names of the recurrent modules to record; all of them where None.
        **arguments: what it is called with, by name.

    Returns:
        A record for each layer and direction, in the order in which they run.

    Raises:
        ConfigError: the model has no recurrent layer, or a cell's steps differ in what they compute.
    """
    records: list[Record] = []

    def watcher(place: Place, cell: Cell, p: Parameters, x: Tensor, state: Any, **options: Any) -> Unrolled:
        eye = Eye(cell, p) if gates else None
        options["keep_states"] = True
        if eye is None:
            ran = kernels.run(cell, p, x, state, **options)
        else:
            ran = unroll(SteppedCell(cell, eye.step).as_cell(), p, x, state, **options)
        fields = zip(cell.State._fields, ran.states, strict=True)
        states = {name: array(field) for name, field in fields}
        taken = eye.taken(place.reverse) if eye else {}
        seen = {gate: array(values) for gate, values in taken.items()}
        functions, unseen = (eye.functions, eye.unseen) if eye else ({}, ())
        records.append(Record(place, cell.name, seen, states, functions, unseen))
        return ran

    with watching(model, watcher, modules):
        model(*inputs, **arguments)
    return records


class Eye:
    """Takes a cell's steps, and keeps what its gates are in each.

    Attributes:
        seen: gates whose values come to light, in the cell's order.
        unseen: the others; see `watching.probe`.
        functions: by gate, the name of the squashing function, once a step has been taken.
    """

    def __init__(self, cell: Cell, p: Parameters) -> None:
        self._cell, self._found = cell, probe(cell, p)
        self.seen = tuple(gate for gate in cell.gates if gate in self._found)
        self.unseen = tuple(gate for gate in cell.gates if gate not in self._found)
        self._values: dict[str, list[Tensor]] = {gate: [] for gate in self.seen}
        self._uses: tuple[str, ...] = ()
        self.functions: dict[str, str] = {}

    def step(self, p: Parameters, projected: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The cell's own, looked at.

        Raises:
            ConfigError: it computes something else than in the steps before.
        """
        with Activations() as activations:
            stepped = self._cell.step(p, projected, state)
        uses = tuple(activation.function for activation in activations.seen)
        self._uses = self._uses or uses
        if uses != self._uses:
            raise ConfigError(
                f"cell {self._cell.name}: its steps differ in what they compute; its gates cannot be told"
            )
        H = self._cell.hidden_size
        for gate, values in self._values.items():
            index, part = self._found[gate]
            self.functions[gate] = uses[index]
            values.append(activations.seen[index].after[..., part * H : (part + 1) * H])
        return stepped

    def taken(self, reverse: bool) -> dict[str, Tensor]:
        """`[T, N, H]` by gate, in the order of the sequence: of the steps since this was asked before."""
        values = {gate: torch.stack(steps[::-1] if reverse else steps) for gate, steps in self._values.items() if steps}
        for steps in self._values.values():
            steps.clear()
        return values


def saturation(values: Array, limits: tuple[float, float]) -> Saturation:
    """How much of the time each unit of a gate is as good as shut, or as good as open.

    Args:
        values: `[T, N, H]`, or any shape whose last dimension is units.
        limits: a value below the first counts as left, above the second as right.
    """
    flat = values.reshape(-1, values.shape[-1])
    low, high = limits
    return Saturation((flat < low).mean(0), (flat > high).mean(0))
