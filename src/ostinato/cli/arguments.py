"""From the words of a command line to a command's options: explicit over --config over saved run over preset."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

import tyro

from ostinato.cli.help import help_of
from ostinato.cli.refusals import refusing
from ostinato.config import commands, merge
from ostinato.config.bench import BENCHMARKS
from ostinato.config.export import Export
from ostinato.config.inspect import Inspect
from ostinato.config.search import Search
from ostinato.config.serving import Serve, Studio
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.core.visible import visible
from ostinato.tasks import TRAIN_OPTIONS
from ostinato.tasks.commands import Evaluate, Generate, Import, Plot, Predict

COMMANDS: dict[tuple[str, ...], type[Any]] = {
    ("demo",): commands.Demo,
    **{("train", name): kind for name, kind in TRAIN_OPTIONS.items()},
    ("evaluate",): Evaluate,
    ("predict",): Predict,
    ("generate",): Generate,
    ("plot",): Plot,
    ("inspect",): Inspect,
    ("serve",): Serve,
    ("studio",): Studio,
    ("search",): Search,
    **{("bench", name): kind for name, kind in BENCHMARKS.items()},
    ("check-cell",): commands.CheckCell,
    ("info",): commands.Info,
    ("import",): Import,
    ("export",): Export,
    ("runs",): commands.Runs,
    ("trim",): commands.Trim,
}

_EXAMPLES = """\
examples:
  ostinato train lm book.txt --out runs/book
  ostinato evaluate runs/book other.txt
  ostinato generate runs/book --prompt "The " --temperature 0.8

ostinato COMMAND --help says what a command takes, --help-all all of it."""


def parse(arguments: list[str]) -> Any:
    """A command's options, an instance of one of the classes in `ostinato.config.commands`.

    Raises:
        ConfigError: an unknown command, or an option that is unknown or cannot be used.
        SystemExit: help was asked for (0).
    """
    path, rest = _find(arguments)
    command, prog = COMMANDS[path], " ".join(("ostinato", *path))
    if asked := {"-h", "--help", "--help-all"} & set(rest):
        defaults = _default(command, rest)
        shown = None if defaults is tyro.MISSING_NONPROP else defaults
        # a default may come from a file of settings
        print(visible(help_of(command, prog, everything="--help-all" in asked, defaults=shown)))
        sys.exit(0)
    words: list[str] = []
    if command is Search:  # whose words are those of a training, besides its own
        own, words = apart(rest)
        rest = [*own, *words[:1]]
    with refusing(command, prog, rest):
        options = tyro.cli(
            command, prog=prog, args=rest, default=_default(command, rest), config=(tyro.conf.OmitArgPrefixes,)
        )
    return dataclasses.replace(options, words=tuple(words[1:])) if words else options


def _default(command: type[Any], words: list[str]) -> Any:
    """The options before those given explicitly; help shows them."""
    if command not in TRAIN_OPTIONS.values():
        return tyro.MISSING_NONPROP
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for option in ("--preset", "--config", "--out", "--from"):
        peek.add_argument(option)
    peek.add_argument("--time-limit", "--time_limit")  # tyro takes both
    peek.add_argument("--resume", action="store_true")
    peek.add_argument("--find-lr", "--find_lr", action="store_true")
    try:
        found, _ = peek.parse_known_args(words)
    except argparse.ArgumentError:
        return tyro.MISSING_NONPROP  # tyro will say what is wrong
    out = found.out or (merge.read_toml(found.config).get("out") if found.config else None)
    saved = _saved(command, out) if found.resume and isinstance(out, str) else {}
    merge.refuse_unused(command, merge.read_toml(found.config) if found.config else {}, f"--config {found.config}: ")
    flat = merge.defaults_below(
        found.preset,
        saved,
        found.config,
        command.PRESETS,
        timed=found.time_limit is not None,
        begun=partial(_taken_over, command),
        from_run=getattr(found, "from"),
    )
    if found.find_lr:  # writes no run
        flat = {"out": f"runs/{command.TASK}", **flat}
    options = merge.unchecked(command, flat, f"--config {found.config}")
    for item in dataclasses.fields(command):
        required = item.default is item.default_factory is dataclasses.MISSING
        if required and item.name not in flat:
            object.__setattr__(options, item.name, tyro.MISSING)
    return options


def _saved(command: type[Any], out: str) -> dict[str, Any]:
    from ostinato.checkpoint import RunFolder

    if not RunFolder(out).is_run():
        return {}
    from ostinato.api.saved import saved_options

    return saved_options(command, out) | {command.SOURCES: []}


def _taken_over(command: type[Any], run: str) -> dict[str, Any]:
    from ostinato.api.beginning import taken_over

    return taken_over(command, run)


def _find(arguments: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Which command, and the words after its name."""
    for path in COMMANDS:
        if tuple(arguments[: len(path)]) == path:
            return path, arguments[len(path) :]
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help"):
        _overview(COMMANDS)
    if first == "--version":
        import ostinato

        print(f"ostinato {ostinato.__version__}")
        sys.exit(0)
    below = {path: command for path, command in COMMANDS.items() if path[0] == first}
    if below and (len(arguments) == 1 or arguments[1] in ("-h", "--help")):
        _overview(below)
    if not below:
        raise ConfigError(unknown_name("unknown command", first, sorted({path[0] for path in COMMANDS})))
    kind = "task" if first == "train" else "benchmark"
    raise ConfigError(unknown_name(f"unknown {kind}", arguments[1], [path[1] for path in below]))


def _overview(shown: dict[tuple[str, ...], type[Any]]) -> NoReturn:
    import ostinato

    print(f"{(ostinato.__doc__ or '').splitlines()[0]}\n\nusage: ostinato COMMAND [options]\n")
    width = max(len(" ".join(path)) for path in shown) + 2
    for path, command in shown.items():
        print(f"  {' '.join(path):<{width}}{(command.__doc__ or '').splitlines()[0]}")
    print(f"\n{_EXAMPLES}")
    sys.exit(0)


#: Of the search, and in its place of the training.
_FLAGS = ("resume", "overwrite", "json")


def apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command line that are the search's own, and those of the training."""
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    names = [item.name for item in dataclasses.fields(Search) if item.name not in ("task", "words", *_FLAGS, "prune")]
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
