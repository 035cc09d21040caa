"""Watching a model while a text grows: what has been read is kept, so that one more step costs one step."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.cells.contract import Cell
from ostinato.cells.unroll import Unrolled, unroll
from ostinato.core.legend import Parameters
from ostinato.inspection.arrays import Array, array
from ostinato.inspection.gates import LIMITS, Eye
from ostinato.inspection.observed import Observed
from ostinato.inspection.watching import Place, SteppedCell, watching


@dataclass(frozen=True)
class Series:
    """What one gate, or one field of the state, is after each step.

    Attributes:
        kind: "gate", "state" or "output".
        name: the cell's: "f", "c"; "y" for an output that is no field of the state.
        values: `[T, H]`, until the model reads again.
        function: what squashes a gate; empty for others.
    """

    kind: str
    name: str
    values: Array
    function: str = ""

    @property
    def limits(self) -> tuple[float, float] | None:
        """Below and above which a gate counts as saturated; None where its function has no two ends."""
        return LIMITS.get(self.function)


@dataclass(frozen=True)
class LivePlace:
    """All that went on in one layer, in one direction.

    Attributes:
        place: which layer.
        cell: name of its cell.
        start: the first step that is not as it was when the model read before.
        series: gates in the cell's order, then the fields of the state, then an output that is none of them.
        unseen: gates whose values do not come to light; see `watching.probe`.
    """

    place: Place
    cell: str
    start: int
    series: list[Series]
    unseen: tuple[str, ...]


class Live:
    """Records every gate, state and output of a model that reads one sequence again and again, each time a little
    longer or otherwise changed.

    A layer that reads from the start takes only those steps whose input is not what it was: it goes on from the state
    that it had there. So with layers above each other one step more costs one step of each. A layer that reads from the
    end takes all of them. The values come from the cell's own `step`, as those of `record` do.

    Args:
        model: any module with recurrent layers of this package, in eval mode. Its weights must not change.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._memories: dict[Place, _Memory] = {}

    @torch.no_grad()
    def read(self, observed: Observed) -> list[LivePlace]:
        """Let the model read one sequence (N = 1).

        Raises:
            ConfigError: the model has no recurrent layer, or a cell's steps differ in what they compute.
        """
        found: list[LivePlace] = []

        def watcher(place: Place, cell: Cell, p: Parameters, x: Tensor, state: Any, **options: Any) -> Unrolled:
            memory = self._memories.get(place)
            if memory is None:
                memory = self._memories[place] = _Memory(place, cell, p)
            ran, live = memory.run(p, x, state, **options)
            found.append(live)
            return ran

        with watching(self._model, watcher, (*observed.modules, *observed.writers)):
            self._model(observed.inputs, **observed.arguments)
        return found


class _Memory:
    """What a layer has read, and what it made of it."""

    def __init__(self, place: Place, cell: Cell, p: Parameters) -> None:
        self._place, self._cell, self._eye = place, cell, Eye(cell, p)
        self._read: tuple[Tensor, ...] = ()  # what the steps depend on, [T, ...] each
        self._start: Any = None
        self._kept: dict[str, _Rows] = {}

    def run(self, p: Parameters, x: Tensor, state: Any, **options: Any) -> tuple[Unrolled, LivePlace]:
        """The whole sequence, of which the steps that are known are not computed again."""
        cell, T, reverse = self._cell, len(x), bool(options.get("reverse"))
        resets, noise = options.get("resets"), options.get("noise")
        read = (x.reshape(T, -1).clone(), *(() if resets is None else (resets.before,)))
        begin = 0 if reverse else self._known(read, state)
        self._read, self._start = (), state  # nothing is known, should what follows fail
        self._eye.taken(reverse)
        fields = cell.State._fields
        before = cell.State(*(self._kept[f"state {name}"].at(begin - 1) for name in fields)) if begin else state
        options |= {"lengths": None, "keep_states": True}
        if resets is not None:
            options["resets"] = resets._replace(before=resets.before[begin:])
        if noise:
            options["noise"] = noise.steps(begin, T)
        ran = unroll(SteppedCell(cell, self._eye.step).as_cell(), p, x[begin:], before, **options)
        self._keep("output", begin, ran.output)
        for name, field in zip(fields, ran.states, strict=True):
            self._keep(f"state {name}", begin, field)
        for gate, values in self._eye.taken(reverse).items():
            self._keep(f"gate {gate}", begin, values)
        for rows in self._kept.values():
            rows.cut(T)
        self._read = read
        whole = Unrolled(self._kept["output"].rows.clone(), ran.final, None)
        return whole, LivePlace(self._place, cell.name, begin, self._series(), self._eye.unseen)

    def _known(self, read: tuple[Tensor, ...], state: Any) -> int:
        """How many of the first steps are what they were."""
        same_start = self._start is not None and all(map(torch.equal, self._start, state))
        if not same_start or len(read) != len(self._read) or read[0].shape[1:] != self._read[0].shape[1:]:
            return 0
        known = most = min(len(read[0]), len(self._read[0]))
        for new, old in zip(read, self._read, strict=True):
            differs = (new[:most] != old[:most]).flatten(1).any(1)
            known = min(known, int(differs.int().argmax()) if bool(differs.any()) else most)
        return known

    def _keep(self, name: str, begin: int, values: Tensor) -> None:
        self._kept.setdefault(name, _Rows()).put(begin, values)

    def _series(self) -> list[Series]:
        cell, eye = self._cell, self._eye
        found = [Series("gate", gate, self._shown(f"gate {gate}"), eye.functions.get(gate, "")) for gate in eye.seen]
        found += [Series("state", name, self._shown(f"state {name}")) for name in cell.State._fields]
        if not getattr(cell, "output_is_state", False):
            found.append(Series("output", "y", self._shown("output")))
        return found

    def _shown(self, name: str) -> Array:
        values = array(self._kept[name].rows[:, 0])
        return values.reshape(len(values), -1).astype(np.float32, copy=False)


class _Rows:
    """Rows that grow at the end, in a tensor with room to spare."""

    def __init__(self) -> None:
        self._held: Tensor | None = None
        self._count = 0

    def put(self, begin: int, values: Tensor) -> None:
        """These rows from `begin` on; what was there and behind is gone."""
        self._count = begin + len(values)
        if self._held is None or self._count > len(self._held):
            wider = values.new_empty(max(64, 2 * self._count), *values.shape[1:])
            if self._held is not None:
                wider[:begin] = self._held[:begin]
            self._held = wider
        self._held[begin : self._count] = values

    def cut(self, count: int) -> None:
        """Only the first ones."""
        self._count = count

    def at(self, row: int) -> Tensor:
        """A copy of one row."""
        assert self._held is not None
        return self._held[row].clone()

    @property
    def rows(self) -> Tensor:
        """All of them."""
        assert self._held is not None
        return self._held[: self._count]
