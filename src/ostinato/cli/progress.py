"""How far a long piece of work is, on standard error."""

import sys
import time

#: Seconds until the first line, and between two where somebody watches.
PACE = 2.0

#: Most seconds between two lines of a log file.
SLOWEST = 60.0


class ProgressLine:
    """Says how far something is, where it takes longer than two seconds.

    On a terminal one line is written over again and again. Elsewhere each line stays, so that they come more and more
    slowly: after two seconds, four, eight, at last every minute.

    Args:
        what: is done, as the line begins.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = time.monotonic()
        self._next, self._pause = self._began + PACE, PACE
        self._over = sys.stderr.isatty()
        self._width = 0

    def __call__(self, done: int, total: int) -> None:
        """So many of so many are done."""
        now = time.monotonic()
        if done >= total:
            self._wipe()
        elif now > self._next:
            self._pause = PACE if self._over else min(2 * self._pause, SLOWEST)
            self._next = now + self._pause
            left = (now - self._began) * (total - done) / max(done, 1)
            self._write(f"{self._what}: {done / total:.0%}, {left:.0f} s left")

    def _write(self, line: str) -> None:
        if self._over:
            print(f"\r{line:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(line)
        else:
            print(line, file=sys.stderr, flush=True)

    def _wipe(self) -> None:
        if self._width:
            print(f"\r{'':<{self._width}}\r", end="", file=sys.stderr, flush=True)
            self._width = 0
