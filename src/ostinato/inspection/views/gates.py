"""gates: every gate and state while a model reads, and how much of the time they are saturated."""

import warnings
from dataclasses import dataclass

import numpy as np
from torch import nn

from ostinato.inspection.arrays import Array, rounded
from ostinato.inspection.facts import GateFacts, GatesFacts, LayerFacts, StateFacts
from ostinato.inspection.gates import Record, record, saturation
from ostinato.inspection.observed import Observed
from ostinato.inspection.views.named import require_unit


@dataclass(frozen=True)
class Shown:
    """What a picture has room for: the first steps of the first sequence.

    Attributes:
        arrays: `[T', H]` by name, "gate f" or "state c".
        units: indices of the units to draw: those that move most, in order; the first ones where the arrays differ in
            width.
    """

    arrays: dict[str, Array]
    units: list[int]

    @property
    def widths(self) -> set[int]:
        """Units that the arrays have."""
        return {array.shape[-1] for array in self.arrays.values()}


@dataclass(frozen=True)
class GatesView:
    """What went on while a model read a sequence.

    Attributes:
        pieces: `[T]` what was read at each step.
        records: of each layer and direction.
        shown: of each, what a picture has room for, by the layer's label; of the one layer where a unit was asked for.
    """

    pieces: list[str]
    records: list[Record]
    shown: dict[str, Shown]

    def facts(self) -> GatesFacts:
        """What is printed."""
        return GatesFacts(steps=len(self.pieces), layers=[_layer(found) for found in self.records])


def gates_view(
    model: nn.Module,
    read: Observed,
    *,
    tokens: int = 100,
    units: int = 128,
    asked: tuple[int, str, int] | None = None,
) -> GatesView:
    """Record every gate and state while a model, in eval mode, reads; a picture shows so many tokens and units.

    Args:
        model: any with recurrent layers.
        read: what it reads.
        tokens: steps shown.
        units: units shown, those that move most.
        asked: layer, from 0, field or gate, and unit, which is shown alone: every gate and field of it.

    Raises:
        ConfigError: there is no such unit; says which there are.
    """
    records = record(model, read.inputs, modules=read.modules, **read.arguments)
    for found in records:
        if found.unseen:
            warnings.warn(
                f"{found.place.label}: the cell {found.cell} squashes {', '.join(found.unseen)} in no way that can be "
                "seen; expected a function such as torch.sigmoid or torch.tanh of its rows of the projection plus "
                "anything else. Its states are shown",
                stacklevel=2,
            )
    shown = {found.place.label: _shown(found, tokens, units) for found in records}
    if asked is not None:
        layer, name, unit = asked
        states = {(r.place.layer, field): values[:, 0] for r in records for field, values in r.states.items()}
        gates = {(r.place.layer, gate): values[:, 0] for r in records for gate, values in r.gates.items()}
        require_unit(states, {key: gate for key, gate in gates.items() if key not in states}, (layer, name), unit)
        shown = {
            r.place.label: Shown({one: v for one, v in arrays.items() if unit < v.shape[-1]}, [unit])
            for r in records
            if r.place.layer == layer
            for arrays in (shown[r.place.label].arrays,)
        }
    return GatesView(read.pieces, records, shown)


def _shown(found: Record, tokens: int, units: int) -> Shown:
    arrays = {f"gate {name}": gate[:tokens, 0] for name, gate in found.gates.items()}
    for name, field in found.states.items():
        values = field[:tokens, 0]
        if not any(np.array_equal(values, gate) for gate in arrays.values()):  # a simple network's gate is its state
            arrays[f"state {name}"] = values
    output = next(iter(found.states.values()))[:, 0]
    widths = {array.shape[-1] for array in arrays.values()}
    moving = output.std(0) if len(widths) == 1 else np.zeros(min(widths))
    return Shown(arrays, np.sort(np.argsort(-moving, kind="stable")[:units]).tolist())


def _layer(found: Record) -> LayerFacts:
    return LayerFacts(
        layer=found.place.label,
        cell=found.cell,
        unseen=list(found.unseen),
        gates=[_gate(found, gate, values) for gate, values in found.gates.items()],
        states=[
            StateFacts(field=name, mean_absolute=float(np.abs(values).mean())) for name, values in found.states.items()
        ],
    )


def _gate(found: Record, gate: str, values: Array) -> GateFacts:
    facts = GateFacts(gate=gate, function=found.functions[gate], mean=float(values.mean()))
    if limits := found.limits(gate):
        left, right = saturation(values, limits)
        facts.left, facts.right, facts.limits = float(left.mean()), float(right.mean()), list(limits)
        facts.left_by_unit, facts.right_by_unit = rounded(left.tolist()), rounded(right.tolist())
    return facts
