"""`ostinato search`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ostinato.cli.output import Output
from ostinato.config.search import Search
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.tasks import TRAIN_OPTIONS

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


def given_in(words: Sequence[str], kind: type[Any]) -> set[str]:
    """The training's options that words give, by plain name."""
    said = {word.partition("=")[0].removeprefix("--").replace("-", "_") for word in words if word.startswith("--")}
    return {name.removeprefix("no_") if name.startswith("no_") else name for name in said}


def search(options: Search, output: Output) -> None:
    """Carry the command out."""
    from ostinato.cli.arguments import parse
    from ostinato.config.merge import flatten
    from ostinato.search.searching import run

    if options.task not in TRAIN_OPTIONS:
        raise ConfigError(unknown_name("unknown task", options.task, TRAIN_OPTIONS))
    given: dict[str, Any] = {}
    if options.words:  # as train would read them, so that what is wrong shows before anything begins
        read = flatten(parse(["train", options.task, *options.words, "--out", f"{options.out}/trials/0000"]))
        given = {name: read[name] for name in given_in(options.words, TRAIN_OPTIONS[options.task]) if name in read}
    found = run(options, given, output.text)
    done = [one for one in found.trials if one.state == "complete"]
    output.text(f"{found.out}: {len(found.trials)} trials, {len(done)} of them to their end")
    if found.best is not None:
        output.figures({f"best_{found.metric}": found.best.value})
        output.text(f"best run: {found.out}/best, trial {found.best.number}")
        for name, share in found.importance.items():
            output.text(f"  {name:<16}explains {share:.0%}")
        output.text(f"trains it anew, for as long as you like:\n  {found.command}")
    output.result(found)
