"""One training of a search, as a process of its own."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ostinato.checkpoint import RunFolder
from ostinato.core.errors import RunFolderError
from ostinato.search.course import Course

#: Characters of a process's last words that are kept.
_LAST = 400


class Training:
    """A training under way.

    Args:
        run: its folder.
        words: of its command line, behind `ostinato`.
        metric: the figure that it is judged by.
        seconds: its time limit, where it has one.
        threads: that it may compute with.
    """

    def __init__(self, run: Path, words: Sequence[str], metric: str, seconds: float | None, threads: int) -> None:
        self.run, self.course, self._seconds = run, Course(run, metric), seconds
        run.parent.mkdir(parents=True, exist_ok=True)
        self._log = run.with_name(f"{run.name}.log")
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ostinato", *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
            )  # fmt: skip
        self.began = time.monotonic()

    def ended(self) -> int | None:
        """The exit status, once it has ended."""
        return self._process.poll()

    def progress(self) -> float | None:
        """Share of it that is done."""
        with contextlib.suppress(RunFolderError, OSError, ValueError):
            return RunFolder(self.run).under_way.resume_point.position().progress
        return None

    def stop(self) -> None:
        """Let it save, and wait until it has ended."""
        if self.ended() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def last_words(self) -> str:
        """The message that it ended with."""
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1][-_LAST:].removeprefix("ostinato: ") if lines else ""


def words_of(task: str, words: Sequence[str], run: Path, options: Mapping[str, Any], *more: str) -> list[str]:
    """A training's command line: what is the same in all trials, and what is this one's own."""
    return ["train", task, *words, *said(options), "--out", str(run), *more]


def said(options: Mapping[str, Any]) -> list[str]:
    """Options as words of a command line."""
    found: list[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            found.append(flag if value else f"--no-{flag[2:]}")
        elif value is not None:
            found += [flag, f"{value:.4g}" if isinstance(value, float) else str(value)]
    return found


def command(task: str, words: Sequence[str], options: Mapping[str, Any], out: str) -> str:
    """To copy: trains with these options."""
    return shlex.join(["ostinato", "train", task, *words, *said(options), "--out", out])


def wait_for_strangers(run: Path, tell: Callable[[str], None]) -> None:
    """Let a training end that an earlier search has left behind: killed itself, it could not stop it."""
    warned = False
    while RunFolder(run).in_use():
        if not warned:
            tell(f"{run}: is still being trained, by a search that was killed; waiting for it")
            warned = True
        time.sleep(0.2)
