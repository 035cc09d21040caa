"""Where results go: people read standard output, unless --json keeps it for programs."""

import json
import sys
import warnings
from typing import Any


class Output:
    """Prints a command's results.

    Args:
        as_json: standard output then has one line, the JSON object; all else goes to standard error.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._stream = sys.stderr if as_json else sys.stdout
        warnings.showwarning = _plain_warning

    def text(self, *parts: str, end: str = "\n") -> None:
        """Print for people."""
        print(*parts, end=end, file=self._stream, flush=True)

    def figures(self, figures: dict[str, Any]) -> None:
        """One figure a line."""
        for name, value in figures.items():
            shown = f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
            self.text(f"{name.replace('_', ' '):<26}{shown}")

    def result(self, content: dict[str, Any]) -> None:
        """The JSON object, where it was asked for."""
        if self._json:
            print(json.dumps(content, ensure_ascii=False), flush=True)


def _plain_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    print(f"ostinato: {message}", file=sys.stderr)
