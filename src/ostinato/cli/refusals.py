"""One line for a command line that cannot be read: the option, what was expected, what came, and the nearest name."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ostinato.config.merge import refuse_unused
from ostinato.core.errors import ConfigError
from ostinato.tasks.described import ELSEWHERE, Option, options_of


@contextmanager
def refusing(command: type[Any], prog: str, words: list[str]) -> Iterator[None]:
    """Turn what tyro has against a command line into a ConfigError of one line.

    tyro prints frames of its own and exits. Its hook for errors is private as yet; where a version has none, the frames
    stay, with the same exit status.

    Args:
        command: the class that is read.
        prog: the program, and the command's name.
        words: those behind the name.

    Raises:
        ConfigError: the words cannot be read.
    """
    refuse_unused(command, [_name(word).replace("-", "_") for word in words])
    try:
        from tyro import _errors as tyro_errors

        hook = tyro_errors.on_parse_error
    except (ImportError, AttributeError):
        yield
        return

    def refuse(event: Any) -> None:
        options = {option.name: option for option in options_of(command)}
        if message := _message(type(event).__name__, event, options, words):
            more = " " if message.endswith("?") else "; "
            raise ConfigError(f"{message}{more}`{prog} --help` says what there is")

    with hook(refuse):
        yield


def _message(kind: str, event: Any, options: dict[str, Option], words: list[str]) -> str | None:
    """What is wrong, without a full stop; None where tyro may say it."""
    if kind == "MissingArgs":
        unknown = [word for word in event.unrecognized_tokens if word.startswith("-")]
        if unknown:
            return _unknown(unknown[0], options)
        found = [options[name] for each in event.missing_arguments if (name := _name_of(each.arg)) in options]
        return "expected " + " and ".join(f"{option.invocation} ({option.text.rstrip('.')})" for option in found)
    if kind == "UnrecognizedArgs":
        unknown = [word for word in event.tokens if word.startswith("--")]
        return _unknown((unknown or event.tokens)[0], options)
    argument = getattr(event, "argument", None)
    if kind == "InstantiationFailure" and (argument is None or event.message.startswith("--")):
        return str(event.message)
    option = options.get(_name_of(argument)) if argument is not None else None
    if option is None:
        return None
    value = getattr(event, "value", None) or getattr(event, "offending_value", None) or _value(words, option.name)
    expected = f"expected {option.expected or 'a value'}" if option.metavar else "a flag, which takes no value"
    return f"{option.flag}: {expected}" + ("" if value is None else f", got {value!r}")


def _unknown(word: str, options: dict[str, Option]) -> str:
    if not word.startswith("-"):
        return f"unexpected {word!r}: there is no place for it"
    name = _name(word)
    known = [option.name for option in options.values() if not option.positional]
    meant = ELSEWHERE.get(name)
    near = [meant] if meant in known else difflib.get_close_matches(name, known, n=1)
    return f"--{name}: there is no such option" + (f": did you mean --{near[0]}?" if near else "")


def _name(word: str) -> str:
    """An option's name in a word of the command line: --learning_rate=3 is learning-rate."""
    return word.removeprefix("--").partition("=")[0].replace("_", "-") if word.startswith("--") else ""


def _name_of(argument: Any) -> str:
    """The name of one of tyro's arguments."""
    return str(argument.field.extern_name).replace("_", "-")


def _value(words: list[str], name: str) -> str | None:
    """What was given for an option."""
    for word, after in zip(words, [*words[1:], None], strict=True):
        if _name(word) == name:
            return word.partition("=")[2] if "=" in word else after
    return None
