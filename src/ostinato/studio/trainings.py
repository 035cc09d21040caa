"""Trainings as processes of their own, which outlive the page and the server.

Whoever starts the studio again finds them: by what was written down when they began, and by whether the process that
did is still the same.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ostinato.checkpoint import RunFolder
from ostinato.core.errors import ConfigError, RunFolderError
from ostinato.core.files import replace_text
from ostinato.serving.problems import Problem
from ostinato.studio.choices import asked_of, command_of
from ostinato.studio.spare import Spare

_NAME = re.compile(r"\w[\w .+-]{0,79}")
_LEFT = re.compile(r"(?:(\d+):)?(\d+):(\d\d)( h)? left")
#: Bytes of what a training has said that are looked at.
_TAIL = 8_000


class Trainings:
    """The trainings that were started from the page.

    Args:
        runs: the folder of runs.
    """

    def __init__(self, runs: Path) -> None:
        self._runs, self._folder = runs, runs / ".trainings"
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self.spare = Spare()

    def place(self, name: str) -> Path:
        """Where a run of that name will be.

        Raises:
            ConfigError: no name for a folder.
        """
        if not _NAME.fullmatch(name) or name != name.strip():
            raise ConfigError(
                f"the run's name: expected letters, digits, blanks, and . _ + - between them, got {name[:80]!r}"
            )
        return self._runs / name

    def require_free(self, name: str) -> None:
        """That there is no run of that name.

        Raises:
            RunFolderError: there is.
        """
        if self.place(name).exists() or self.running(name):
            raise RunFolderError(f"there is a run {name!r} already; choose another name")

    def start(self, name: str, line: list[str], **more: Any) -> None:
        """Begin a training.

        Args:
            name: of the run.
            line: the words of its command.
            more: what is to be known of it later.
        """
        place = self._folder / self.place(name).name
        place.mkdir(parents=True, exist_ok=True)
        for file in (place / "result.json", place / "log.txt"):
            file.write_bytes(b"")  # of what ran here before
        child = self.spare.take(asked_of(line), place / "result.json", place / "log.txt") or _started(line, place)
        self._children[child.pid] = child
        said = {"line": line, "pid": child.pid, "born": _born(child.pid), "began": time.time(), **more}
        replace_text(place / "training.json", json.dumps(said))

    def written(self, name: str) -> dict[str, Any] | None:
        """What was written down when a training began; None of one that did not begin here."""
        known = {path.name for path in self._folder.iterdir()} if self._folder.is_dir() else set()
        if name not in known:
            return None
        try:
            found = json.loads((self._folder / name / "training.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def running(self, name: str) -> bool:
        """Whether the process that trains it is at work."""
        return self._pid(name) is not None

    def state(self, name: str) -> dict[str, Any]:
        """How a training stands.

        Returns:
            `running`; `command`; `error`, its last words where it failed; `left`, seconds that it thinks it will take;
            `began`, in seconds since 1970; `about`, a line on what is trained; the task and the data that it began
            with.
        """
        said = self.written(name)
        if said is None:
            return {"running": False, "here": False, "command": None, "error": None, "left": None}
        running = self.running(name)
        log = self._log(name)
        result = self._result(name)
        return {
            "running": running,
            "here": True,
            "command": command_of(said["line"]),
            "error": None if running or result is not None else _last_words(log),
            "left": _left(log) if running else None,
            "began": said["began"],
            "data": said.get("data"),
            "task": said.get("task"),
            "about": next((line for line in log.splitlines() if " parameters" in line), None),
        }

    def stop(self, name: str) -> None:
        """Let a training finish its step, save, and end.

        Raises:
            Problem: 409, it does not run, or was not started here.
        """
        pid = self._pid(name)
        if pid is None:
            raise Problem(409, f"no training of {name!r} that was started here is running")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)

    def _pid(self, name: str) -> int | None:
        said = self.written(name)
        if said is None:
            return None
        pid = said["pid"]
        child = self._children.get(pid)
        if child is not None and child.poll() is not None:  # ended, and now waited for
            del self._children[pid]
            return None
        return pid if said["born"] is not None and _born(pid) == said["born"] else None

    def _log(self, name: str) -> str:
        try:
            with (self._folder / name / "log.txt").open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def _result(self, name: str) -> Any:
        try:
            return json.loads((self._folder / name / "result.json").read_bytes().splitlines()[-1])
        except (OSError, ValueError, IndexError):
            return None

    def resumed(self, name: str) -> list[str]:
        """The words that go on with a run, whoever started it.

        Raises:
            RunFolderError: it does not say what it was trained on.
        """
        said = self.written(name)
        if said is not None:
            return [*(word for word in said["line"] if word != "--resume"), "--resume"]
        place = self.place(name)
        config = RunFolder(place).under_way.read_config()
        try:
            files = config["data"]["train"]["files"]
        except (KeyError, TypeError):
            raise RunFolderError(f"{place}: does not say what it was trained on") from None
        return ["train", config["task"], *files, "--out", str(place), "--resume"]


def _born(pid: int) -> str | None:
    """What tells a process from a later one of the same number: when it began; None where it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if Path("/proc/self/stat").exists() else _born_by_ps(pid)
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]


def _born_by_ps(pid: int) -> str | None:
    found = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, began = found.stdout.strip().partition(" ")
    return began.strip() or None if not state.startswith("Z") else None


def _started(line: list[str], place: Path) -> subprocess.Popen[bytes]:
    """A training as a process of its own, in a session of its own."""
    command = [sys.executable, "-m", "ostinato", *asked_of(line)]
    with (place / "result.json").open("wb") as result, (place / "log.txt").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=result, stderr=log, start_new_session=True)


def _left(log: str) -> float | None:
    """Seconds that a training has said are left."""
    found = None
    for found in _LEFT.finditer(log):  # the last one  # noqa: B007
        pass
    if found is None:
        return None
    hours, minutes, seconds, in_hours = found.groups()
    if in_hours:
        return 3600.0 * int(minutes) + 60 * int(seconds)
    return 3600.0 * int(hours or 0) + 60 * int(minutes) + int(seconds)


def _last_words(log: str) -> str | None:
    """What a training ended with, where it did not end well."""
    lines = [line for line in log.splitlines() if line.strip()]
    ours = [line.removeprefix("ostinato: ") for line in lines if line.startswith("ostinato: ")]
    if ours:
        return None if ours[-1].startswith("interrupted") else ours[-1]
    return lines[-1] if lines else None
