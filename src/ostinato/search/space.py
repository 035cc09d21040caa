"""What is drawn: each option's range or choices, a task's usual ones or a file's."""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from ostinato.config.merge import flatten, names, toml_of, unchecked
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.tasks.options import TrainOptions

#: What a value in a space may be.
Value: TypeAlias = str | int | float | bool | None


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers from `low` to `high`, whole where both are; `log`: evenly by their logarithm; `step`: between them."""

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | UnsetType = UNSET

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ConfigError(f"expected low below high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ConfigError(f"log = true: expected low above 0, got {self.low}")
        if self.step is not UNSET and (self.log or self.step <= 0):
            raise ConfigError("step: expected above 0, and no log = true beside it")

    def draw(self, trial: Any, name: str) -> Value:
        """One of them, by an Optuna trial."""
        own: dict[str, Any] = {"log": self.log} if self.step is UNSET else {"step": self.step}
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        found: Value = (trial.suggest_int if whole else trial.suggest_float)(name, self.low, self.high, **own)
        return found


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of several values."""

    choices: list[Value]

    def __post_init__(self) -> None:
        if not self.choices:
            raise ConfigError("choices: expected at least one")

    def draw(self, trial: Any, name: str) -> Value:
        """One of them, by an Optuna trial."""
        found: Value = trial.suggest_categorical(name, self.choices)
        return found


Dimension: TypeAlias = Range | Choices


class Space(msgspec.Struct, frozen=True):
    """What is drawn, by plain name of an option, and what is the same in all trials."""

    drawn: dict[str, Dimension]
    fixed: dict[str, Value]

    def kept(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"drawn": {name: msgspec.to_builtins(one) for name, one in self.drawn.items()}, "fixed": self.fixed}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Space":
        """From what `kept` gave."""
        return cls({name: _dimension(name, one) for name, one in kept["drawn"].items()}, dict(kept["fixed"]))

    def without(self, given: set[str]) -> "Space":
        """Without what was given on the command line."""
        drawn = {name: one for name, one in self.drawn.items() if name not in given}
        return Space(drawn, {name: one for name, one in self.fixed.items() if name not in given})


def usual_space(kind: type[TrainOptions], given: Mapping[str, Any]) -> Space:
    """What matters most for any recurrent model, about the task's own defaults, and what the task adds.

    Args:
        kind: the task's options.
        given: options given for all trials: a task chooses its defaults by them.
    """
    defaults = flatten(unchecked(kind, given, "search"))
    rate, units = defaults.get("lr") or 0.004, defaults.get("hidden") or 128
    space: dict[str, Dimension] = {
        "lr": Range(rate / 8, rate * 4, log=True),
        "hidden": Choices([max(8, units // 2), units, units * 2]),
        "layers": Range(1, 3),
        "dropout": Range(0.0, 0.6),
        "weight_decay": Choices([0.0, 0.01, 0.1]),
        "clip": Choices([0.25, 1.0, 5.0]),
    }
    space |= {name: _dimension(name, one) for name, one in kind.SPACE.items()}
    unused = getattr(kind, "UNUSED", ())
    return Space({name: one for name, one in space.items() if name not in unused}, {})


def space_of(path: str, kind: type[TrainOptions]) -> Space:
    """A file's.

    Raises:
        ConfigError: it cannot be read, names an option that there is not, or a range that is none.
    """
    content = toml_of("--space", path, "lr = {low = 1e-4, high = 1e-2, log = true}")
    known = [name for name in names(kind) if name not in {kind.SOURCES, *_OURS, *getattr(kind, "UNUSED", ())}]
    drawn: dict[str, Dimension] = {}
    fixed: dict[str, Value] = {}
    for called, one in content.items():
        name = called.replace("-", "_")
        if name not in known:
            raise ConfigError(unknown_name(f"--space {path}: unknown option", name, known))
        if isinstance(one, dict):
            drawn[name] = _dimension(f"--space {path}: {called}", one)
        elif isinstance(one, str | int | float | bool):
            fixed[name] = one
        else:
            raise ConfigError(f"--space {path}: {called}: expected a range, choices or a value, got {one!r:.60}")
    if not drawn:
        raise ConfigError(f"--space {path}: nothing is to be drawn; expected a range or choices of at least one option")
    return Space(drawn, fixed)


def _dimension(where: str, said: Mapping[str, Any]) -> Dimension:
    try:
        if "choices" in said:
            return msgspec.convert(dict(said), Choices)
        return msgspec.convert(dict(said), Range)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from None
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


#: Options that are the search's own.
_OURS = {"out", "json", "resume", "overwrite", "plugin", "config", "time_limit"}
