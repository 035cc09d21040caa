"""Where what was found goes: a folder of pictures, pages and numbers."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ostinato.checkpoint.files import write_bytes
from ostinato.core.errors import DataError
from ostinato.core.files import remove_left_over
from ostinato.plots.style import available, picture_files


class Folder:
    """The folder of `--out`.

    Args:
        path: made with the first file, where it is not there: a view that has nothing to show leaves nothing. What
            other views wrote stays.

    Attributes:
        files: names of those written, in order.

    Raises:
        DataError: it cannot be made or written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.files: list[str] = []
        there = next(place for place in (self.path, *self.path.absolute().parents) if place.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            fault = "Permission denied" if there.is_dir() else f"{there} is no folder"
            raise DataError(f"--out {path}: cannot be written: {fault}; choose another place")

    def picture(self, name: str, draw: Callable[[list[Path]], None]) -> None:
        """Draw NAME.png and NAME.svg; nothing where matplotlib is not installed, as the numbers are there all the same.

        Args:
            name: without its ending.
            draw: given the files to write.
        """
        if not available():
            return
        files = picture_files(self.path / name)
        self._write([file.name for file in files], lambda: draw(files))

    def text(self, name: str, content: str) -> None:
        """Write a text file."""
        self._write([name], lambda: write_bytes(self.path / name, content.encode(errors="backslashreplace")))

    def numbers(self, name: str, result: dict[str, Any]) -> None:
        """Write NAME.json."""
        self.text(f"{name}.json", json.dumps(result, ensure_ascii=False) + "\n")

    def _write(self, names: list[str], write: Callable[[], None]) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name in names:  # no others: the folder may hold another program's
                remove_left_over(self.path, name)
            write()
        except OSError as error:
            raise DataError(f"--out {self.path}: cannot be written: {error.strerror}; choose another place") from None
        self.files += names
