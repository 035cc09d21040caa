"""Checks of options: ranges, each naming the option as the user typed it, and names given in Python."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from ostinato.core.errors import ConfigError, OptionTypeError, unknown_name

Options = TypeVar("Options")

#: Threads of a process, and processes: more than any machine has use for. OpenMP ends a program that cannot have them.
MOST_THREADS = 1_024


def at_least(**options: tuple[float, float]) -> None:
    """Check `name=(value, least)`.

    Raises:
        ConfigError: a value below its least.
    """
    for name, (value, least) in options.items():
        # A NaN fails every comparison, so ask for what is right.
        if not value >= least:
            raise ConfigError(f"--{name.replace('_', '-')}: expected at least {least}, got {value}")


def at_most(**options: tuple[float, float]) -> None:
    """Check `name=(value, most)`.

    Raises:
        ConfigError: a value above its most.
    """
    for name, (value, most) in options.items():
        if not value <= most:
            raise ConfigError(f"--{name.replace('_', '-')}: expected at most {most:,}, got {value:,}")


def above_zero(**options: float) -> None:
    """Check `name=value`.

    Raises:
        ConfigError: a value of 0 or less.
    """
    for name, value in options.items():
        if not value > 0:
            raise ConfigError(f"--{name.replace('_', '-')}: expected more than 0, got {value}")


def valid_seed(seed: int) -> None:
    """Check a seed of torch's random generators.

    Raises:
        ConfigError: it is outside of 0 to 2^63 - 1.
    """
    if not 0 <= seed < 1 << 63:
        raise ConfigError(f"--seed: expected 0 to 2^63 - 1, got {seed}")


def valid_threads(**options: int) -> None:
    """Check `name=value`, threads or processes: 0 up to `MOST_THREADS`.

    Raises:
        ConfigError: a number outside.
    """
    at_least(**{name: (value, 0) for name, value in options.items()})
    at_most(**{name: (value, MOST_THREADS) for name, value in options.items()})


def valid_beam(beam: int | None) -> None:
    """Check the width of a beam search, where it is said.

    Raises:
        ConfigError: it is outside of 1 to 10,000.
    """
    if beam is not None:
        at_least(beam=(beam, 1))
        at_most(beam=(beam, 10_000))


def share(**options: float) -> None:
    """Check `name=value`, a share from 0 up to, but not including, 1.

    Raises:
        ConfigError: a value outside.
    """
    for name, value in options.items():
        if not 0 <= value < 1:
            raise ConfigError(f"--{name.replace('_', '-')}: expected 0 up to below 1, got {value}")


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
