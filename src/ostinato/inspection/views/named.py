"""How one unit is named, as `--unit` takes it, and what is said where there is none."""

from collections.abc import Mapping
from typing import TypeAlias

from ostinato.core.errors import ConfigError
from ostinato.inspection.arrays import Array

#: A layer, from 0, and a field of its state or a gate.
States: TypeAlias = tuple[int, str]


def require_unit(states: Mapping[States, Array], gates: Mapping[States, Array], key: States, unit: int) -> None:
    """Refuse a unit that there is not.

    Raises:
        ConfigError: there is none; says which states and gates there are.
    """
    values = states.get(key, gates.get(key))
    if values is None or unit >= values.shape[-1]:
        kinds = (("states", states), ("gates", gates))
        known = " and ".join(
            f"the {kind} " + ", ".join(f"{unit_name(one, 0)} to {array.shape[-1] - 1}" for one, array in found.items())
            for kind, found in kinds
            if found
        )
        raise ConfigError(f"--unit {unit_name(key, unit)}: there is no such unit; this run has {known}")


def unit_name(key: States, unit: int) -> str:
    """As `--unit` takes it: layer from 1, field or gate, unit from 0."""
    return f"{key[0] + 1}.{key[1]}.{unit}"
