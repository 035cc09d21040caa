"""Which words of `ostinato search` are the search's own, and which those of the training."""

import argparse
from collections.abc import Sequence
from dataclasses import fields

from ostinato.config.search import Search
from ostinato.core.errors import ConfigError

#: Of the search, and in its place of the training.
_FLAGS = ("resume", "overwrite", "json")


def apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command line that are the search's own, and those of the training."""
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    names = [item.name for item in fields(Search) if item.name not in ("task", "words", *_FLAGS, "prune")]
    for name in names:
        reader.add_argument(f"--{name.replace('_', '-')}", f"--{name}", action="append", dest=name)
    for name in (*_FLAGS, "prune", "no_prune"):
        reader.add_argument(f"--{name.replace('_', '-')}", action="store_true", dest=name)
    try:
        found, rest = reader.parse_known_args(list(words))
    except argparse.ArgumentError as error:
        raise ConfigError(f"search: {error}") from None
    own: list[str] = []
    for name in names:
        for value in getattr(found, name) or ():
            own += [f"--{name.replace('_', '-')}", value]
    own += [f"--{name.replace('_', '-')}" for name in (*_FLAGS, "prune", "no_prune") if getattr(found, name)]
    return own, rest


def given_in(words: Sequence[str]) -> set[str]:
    """The training's options that words give, by plain name."""
    said = {word.partition("=")[0].removeprefix("--").replace("-", "_") for word in words if word.startswith("--")}
    return {name.removeprefix("no_") if name.startswith("no_") else name for name in said}
