"""Errors that a user can mend: one message that says what was expected, what came, and the remedy."""

from collections.abc import Iterable


class OstinatoError(Exception):
    """Base of every error this package raises on purpose; the command line prints it and exits with status 2."""


class ConfigError(OstinatoError, ValueError):
    """An option or a configuration file that cannot be used."""


class OptionTypeError(ConfigError, TypeError):
    """An option of the wrong type; a TypeError too, which is what torch.nn raises."""


class TensorError(ValueError, RuntimeError):
    """A tensor whose shape, dtype or device does not fit: torch.nn raises a ValueError for some of them, and a
    RuntimeError for the others."""


class DataError(OstinatoError, ValueError):
    """Input that is missing, unreadable, empty or malformed."""


class RunFolderError(OstinatoError):
    """A run folder that is missing, damaged, in the way, or of another task."""


class TrainingError(OstinatoError, ArithmeticError):
    """Training that cannot go on: a loss or a gradient that is not finite."""


class LostError(TrainingError):
    """Other processes of a training that are no longer heard of, or never were.

    Attributes:
        speaks: whether this process says so, though it is not the first one.
    """

    def __init__(self, message: str, *, speaks: bool = False) -> None:
        super().__init__(message)
        self.speaks = speaks


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """The message for a name that is not among those there are; offers the nearest.

        >>> unknown_name("unknown task", "tga", ["lm", "tag"])
        "unknown task 'tga': did you mean 'tag'? there are lm, tag"

    Args:
        what: begins the message.
        name: what came.
        known: the names there are.
    """
    import difflib  # here, since a message is rare and the import is not

    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{what} {name!r}: {hint}there are {', '.join(names)}"
