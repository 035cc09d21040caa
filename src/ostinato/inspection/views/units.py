"""units: which of them follow something in the text."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from msgspec import UNSET
from torch import nn

from ostinato.inspection.arrays import Array
from ostinato.inspection.facts import PropertyFacts, UnitFacts, UnitsFacts
from ostinato.inspection.gates import Record, record
from ostinato.inspection.observed import ObservedText
from ostinato.inspection.units import Follower, followers, text_properties
from ostinato.inspection.views.named import States, require_unit, unit_name


@dataclass(frozen=True)
class UnitsView:
    """Units beside what they follow.

    Attributes:
        pieces: `[T]` what was read at each step.
        states: `[T, H]` by layer and field, after each token.
        properties: `[T]` by name: of bool, or of numbers.
        best: by property, the units that follow it best, the best first, each with its layer and field. A property that
            does not change in both halves of the text is left out.
        gates: as `states`, by layer and gate: where gates were asked for. A gate that is the state itself, as in a
            simple network, is among the states alone.
        asked: the one unit that was asked for, by property: how well it follows.
    """

    pieces: list[str]
    states: dict[States, Array]
    properties: dict[str, Array]
    best: dict[str, list[tuple[States, Follower]]]
    gates: dict[States, Array] = field(default_factory=dict)
    asked: dict[str, tuple[States, Follower]] = field(default_factory=dict)

    def of(self, layer: int, field: str, unit: int) -> Array:
        """`[T]` of one unit: of its state, or of a gate where gates were asked for.

        Raises:
            ConfigError: there is none; says which there are.
        """
        require_unit(self.states, self.gates, (layer, field), unit)
        return (self.states | self.gates)[layer, field][:, unit]

    def what(self, key: States) -> str:
        """For people: "state c", "gate f"."""
        return f"{'gate' if key in self.gates else 'state'} {key[1]}"

    def facts(self) -> UnitsFacts:
        """What is printed."""
        return UnitsFacts(
            tokens=len(self.pieces),
            left_out=[name for name in self.properties if name not in self.best],
            properties=[
                PropertyFacts(
                    property=name,
                    measure=units[0][1].measure,  # type: ignore[arg-type]
                    units=[_facts(key, one) for key, one in units],
                    asked=_facts(*self.asked[name]) if name in self.asked else UNSET,
                )
                for name, units in self.best.items()
            ],
        )


def units_view(
    model: nn.Module,
    text: ObservedText,
    *,
    top: int = 5,
    gates: bool = False,
    asked: tuple[int, str, int] | None = None,
) -> UnitsView:
    """Find the units of a language model, in eval mode, that follow something in a text: `top` of each property.

    Args:
        model: the language model.
        text: what it reads.
        top: how many units of each property.
        gates: rank gates, and not states.
        asked: layer, from 0, field or gate, and unit: one whose scores are wanted whatever the ranking.

    Raises:
        ConfigError: there is no such unit; says which there are.
    """
    row = torch.as_tensor(np.concatenate([[text.start], text.ids]).astype(np.int64)).unsqueeze(1)
    if asked is not None:  # one step tells which there are, before the text is read
        layer, name, unit = asked
        states, of_gates = _by_name(record(model, row[:1]))
        require_unit(states, of_gates, (layer, name), unit)
    records = record(model, row, gates=gates or (asked is not None and (layer, name) in of_gates))
    states, of_gates = _by_name(records)
    # of characters, one that the vocabulary has not is one, whatever it is shown as
    properties = text_properties([piece[:1] for piece in text.pieces] if text.characters else text.pieces)
    best: dict[str, list[tuple[States, Follower]]] = {}
    for key, values in (of_gates if gates else states).items():
        for property_, following in followers(values, properties, top).items():
            best.setdefault(property_, []).extend((key, one) for one in following)
    best = {property_: sorted(found, key=lambda pair: -pair[1].strength)[:top] for property_, found in best.items()}
    of_asked: dict[str, tuple[States, Follower]] = {}
    if asked is not None:
        column = (states | of_gates)[layer, name][:, [unit]]
        found = followers(column, properties, 1)
        of_asked = {one: ((layer, name), replace(follower, unit=unit)) for one, (follower,) in found.items()}
    return UnitsView(text.pieces, states, properties, best, of_gates, of_asked)


def _by_name(records: list[Record]) -> tuple[dict[States, Array], dict[States, Array]]:
    """States and gates, `[T, H]` each: behind the token that the first one is predicted from."""
    states = {
        (layer, name): field[1:, 0] for layer, found in enumerate(records) for name, field in found.states.items()
    }
    gates = {(layer, name): gate[1:, 0] for layer, found in enumerate(records) for name, gate in found.gates.items()}
    return states, {key: gate for key, gate in gates.items() if key not in states}


def _facts(key: States, one: Follower) -> UnitFacts:
    return UnitFacts(
        unit=unit_name(key, one.unit),
        score=one.score,
        chosen=one.selection_score,
        direction=one.direction,  # type: ignore[arg-type]
    )
