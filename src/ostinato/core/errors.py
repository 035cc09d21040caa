"""Errors that a user can mend: one message that says what was expected, what came, and the remedy."""


class OstinatoError(Exception):
    """Base of every error this package raises on purpose; the command line prints it and exits with status 2."""


class ConfigError(OstinatoError, ValueError):
    """An option or a configuration file that cannot be used."""


class DataError(OstinatoError, ValueError):
    """Input that is missing, unreadable, empty or malformed."""


class RunFolderError(OstinatoError):
    """A run folder that is missing, damaged, in the way, or of another task."""


class TrainingError(OstinatoError, ArithmeticError):
    """Training that cannot go on: a loss or a gradient that is not finite."""
