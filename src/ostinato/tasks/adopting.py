"""What tasks need to take over a model of another program: its names of labels."""

from pathlib import Path

from ostinato.core.errors import DataError


def names_of(path: str | None, count: int) -> list[str]:
    """Names of labels or tags, one a line; their numbers where there is no file.

    Raises:
        DataError: another number of them than the model has outputs, or one twice.
    """
    if path is None:
        return [str(number) for number in range(count)]
    try:
        names = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--labels {path}: cannot be read: {error}") from None
    if len(names) != count or len(set(names)) != count:
        raise DataError(f"--labels {path}: expected {count} different names, one a line, got {len(set(names))}")
    return names
