"""Checks of options: ranges, and names given in Python.

A value out of range is a ConfigError that names the option as the user typed it. None is an option that is not said.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from ostinato.core.errors import ConfigError, OptionTypeError, unknown_name

Options = TypeVar("Options")

#: Threads of a process, and processes: more than any machine has use for. OpenMP ends a program that cannot have them.
MOST_THREADS = 1_024


def at_least(**options: tuple[float | None, float]) -> None:
    """Check `name=(value, least)`."""
    for name, (value, least) in options.items():
        _require(name, value, value is None or value >= least, f"at least {least}")


def at_most(**options: tuple[float, float]) -> None:
    """Check `name=(value, most)`."""
    for name, (value, most) in options.items():
        _require(name, f"{value:,}", value <= most, f"at most {most:,}")


def above_zero(**options: float | None) -> None:
    """Check `name=value`, more than 0."""
    for name, value in options.items():
        _require(name, value, value is None or value > 0, "more than 0")


def share(**options: float | None) -> None:
    """Check `name=value`, a share from 0 up to, but not including, 1."""
    for name, value in options.items():
        _require(name, value, value is None or 0 <= value < 1, "0 up to below 1")


def valid_seed(seed: int) -> None:
    """Check a seed of torch's random generators."""
    _require("seed", seed, 0 <= seed < 1 << 63, "0 to 2^63 - 1")


def valid_threads(**options: int) -> None:
    """Check `name=value`, threads or processes: 0 up to `MOST_THREADS`."""
    at_least(**{name: (value, 0) for name, value in options.items()})
    at_most(**{name: (value, MOST_THREADS) for name, value in options.items()})


def valid_beam(beam: int | None) -> None:
    """Check the width of a beam search, from 1 to 10,000, where it is said."""
    at_least(beam=(beam, 1))
    at_most(beam=(beam or 1, 10_000))


def _require(name: str, value: Any, right: bool, expected: str) -> None:
    """Callers ask for what is right, not for what is wrong: a NaN fails every comparison."""
    if not right:
        raise ConfigError(f"--{name.replace('_', '-')}: expected {expected}, got {value}")


def of_names(kind: type[Options], given: Mapping[str, Any]) -> Options:
    """A class of options from what a Python call gave by name.

    Args:
        kind: a dataclass.
        given: value by name.

    Raises:
        OptionTypeError: a name that it does not have; a ConfigError, and a TypeError as of any call.
        ConfigError: a value out of range.
    """
    known = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise OptionTypeError(unknown_name("unknown option", name, known))
    return kind(**given)
