"""How far something is, for who waits."""

from __future__ import annotations

import sys
import time


class Told:
    """Says how far something is, where it takes longer than two seconds."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """So much is done of so much."""
        now = time.monotonic()
        if done < total and now - self._last > 2:
            self._last = now
            left = (now - self._began) * (total - done) / max(done, 1)
            print(f"{self._what}: {done / total:.0%}, {left:.0f} s left", file=sys.stderr, flush=True)
