"""Sessions: states that are kept between requests, copied, saved and given back."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict

from ostinato.serving.problems import Problem


class Session:
    """A sequence between two requests, as compact as there can be: thousands of them wait most of the time.

    Attributes:
        run: name of the run.
        state: its fields' bytes, one after the other; None at the beginning of a text.
        token: the next token to read.
        after: the last sign of the text so far.
        used: when it was last asked, by `time.monotonic`.
        busy: whether a request is at it.
    """

    __slots__ = ("after", "busy", "run", "state", "token", "used")

    def __init__(self, run: str, state: bytes | None, token: int, after: str) -> None:
        self.run, self.state, self.token, self.after = run, state, token, after
        self.used, self.busy = time.monotonic(), False


class Sessions:
    """All sessions of a server, by their ids, which nobody can guess.

    Args:
        most: sessions at once.
        idle: seconds after which one that nobody asks is forgotten.
    """

    def __init__(self, most: int, idle: float) -> None:
        self._most, self._idle = most, idle
        self._kept: OrderedDict[str, Session] = OrderedDict()  # the one asked last is last

    def __len__(self) -> int:
        return len(self._kept)

    def count(self, run: str) -> int:
        """How many a run has."""
        return sum(session.run == run for session in self._kept.values())

    def require_room(self) -> None:
        """That one more may be kept.

        Raises:
            Problem: 429.
        """
        self.forget_idle()
        if len(self._kept) >= self._most:
            raise Problem(429, f"{len(self._kept):,} sessions are kept, as many as there may be; delete some")

    def add(self, session: Session) -> str:
        """Keep a session; its id.

        Raises:
            Problem: 429.
        """
        self.require_room()
        name = secrets.token_urlsafe(12)
        self._kept[name] = session
        return name

    def find(self, run: str, name: str, *, idle: bool = True) -> Session:
        """A session of a run, asked for now.

        Args:
            run: the run's name.
            name: the session's id.
            idle: it must not be busy.

        Raises:
            Problem: 404, there is none, or none any more; 409, another request is at it.
        """
        session = self._kept.get(name)
        if session is None or session.run != run:
            raise Problem(404, f"there is no such session; those that nobody asks for {self._idle:g} seconds end")
        if idle and session.busy:
            raise Problem(409, "another request is at this session; wait for its end, or fork it before")
        session.used = time.monotonic()
        self._kept.move_to_end(name)
        return session

    def delete(self, name: str) -> None:
        """Forget one."""
        self._kept.pop(name, None)

    def forget_run(self, run: str) -> None:
        """Forget those of a run whose states its model can read no more."""
        for name in [name for name, session in self._kept.items() if session.run == run]:
            del self._kept[name]

    def forget_idle(self) -> None:
        """Forget those that nobody has asked for long."""
        before = time.monotonic() - self._idle
        while self._kept:
            name, session = next(iter(self._kept.items()))
            if session.used > before:
                return
            if session.busy:
                session.used = time.monotonic()
                self._kept.move_to_end(name)
            else:
                del self._kept[name]
