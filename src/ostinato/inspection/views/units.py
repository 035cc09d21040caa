"""units: which of them follow something in the text."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import nn

from ostinato.core.errors import ConfigError
from ostinato.inspection.arrays import Array
from ostinato.inspection.facts import PropertyFacts, UnitFacts, UnitsFacts
from ostinato.inspection.gates import record
from ostinato.inspection.observed import ObservedText
from ostinato.inspection.units import Follower, followers, text_properties

#: A layer, from 0, and a field of its state.
States: TypeAlias = tuple[int, str]


@dataclass(frozen=True)
class UnitsView:
    """Units beside what they follow.

    Attributes:
        pieces: `[T]` what was read at each step.
        states: `[T, H]` by layer and field, after each token.
        properties: `[T]` by name: of bool, or of numbers.
        best: by property, the units that follow it best, the best first, each with its layer and field. A property that
            does not change in both halves of the text is left out.
    """

    pieces: list[str]
    states: dict[States, Array]
    properties: dict[str, Array]
    best: dict[str, list[tuple[States, Follower]]]

    def of(self, layer: int, field: str, unit: int) -> Array:
        """`[T]` of one unit.

        Raises:
            ConfigError: there is none; says which there are.
        """
        values = self.states.get((layer, field))
        if values is None or unit >= values.shape[1]:
            known = ", ".join(f"{unit_name(key, 0)} to {one.shape[1] - 1}" for key, one in self.states.items())
            name = unit_name((layer, field), unit)
            raise ConfigError(f"--unit {name}: there is no such unit; this run has {known}")
        return values[:, unit]

    def facts(self) -> UnitsFacts:
        """What is printed."""
        return UnitsFacts(
            tokens=len(self.pieces),
            left_out=[name for name in self.properties if name not in self.best],
            properties=[
                PropertyFacts(
                    property=name,
                    measure=units[0][1].measure,  # type: ignore[arg-type]
                    units=[
                        UnitFacts(unit=unit_name(key, one.unit), score=one.score, chosen=one.selection_score)
                        for key, one in units
                    ],
                )
                for name, units in self.best.items()
            ],
        )


def units_view(model: nn.Module, text: ObservedText, *, top: int = 5) -> UnitsView:
    """Find the units of a language model, in eval mode, that follow something in a text: `top` of each property."""
    row = torch.as_tensor(np.concatenate([[text.start], text.ids]).astype(np.int64)).unsqueeze(1)
    records = record(model, row, gates=False)
    states = {(layer, name): field[1:, 0] for layer, r in enumerate(records) for name, field in r.states.items()}
    # of characters, one that the vocabulary has not is one, whatever it is shown as
    properties = text_properties([piece[:1] for piece in text.pieces] if text.characters else text.pieces)
    best: dict[str, list[tuple[States, Follower]]] = {}
    for key, values in states.items():
        for name, following in followers(values, properties, top).items():
            best.setdefault(name, []).extend((key, unit) for unit in following)
    best = {name: sorted(found, key=lambda pair: -_strength(pair[1]))[:top] for name, found in best.items()}
    return UnitsView(text.pieces, states, properties, best)


def unit_name(key: States, unit: int) -> str:
    """As `--unit` takes it: layer from 1, field, unit from 0."""
    return f"{key[0] + 1}.{key[1]}.{unit}"


def _strength(unit: Follower) -> float:
    """How far from knowing nothing, from 0 to 1, on the half it was chosen on."""
    return abs(unit.selection_score) if unit.measure == "correlation" else 2 * abs(unit.selection_score - 0.5)
