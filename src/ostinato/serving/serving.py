"""What a server has, that all its routes share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import HTTPConnection

from ostinato.config.serving import ServeSettings
from ostinato.serving.metrics import Metrics
from ostinato.serving.problems import Problem
from ostinato.serving.served import Registry
from ostinato.serving.sessions import Sessions

Found = TypeVar("Found")

#: Threads that answer: kernels use all processors, so more would only get in each other's way.
_COMPUTING = 2

#: Seconds between looks at run folders and at idle sessions.
_LOOK = 2.0


class Serving:
    """Runs, sessions, settings, and who computes.

    Args:
        runs: run folders.
        settings: limits among them.
        discover: names and folders of more runs, which come and go.

    Attributes:
        runs: by name.
        sessions: by id.
        ready: whether all runs are loaded.
        ending: whether the server is about to end: what runs finishes, what is new is refused.
    """

    def __init__(
        self,
        runs: Iterable[str | PathLike[str]],
        settings: ServeSettings,
        discover: Callable[[], dict[str, Path]] | None = None,
    ) -> None:
        self.settings, self.limits, self.metrics = settings, settings.limits, Metrics()
        self.runs = Registry(runs, discover, self.limits, self.metrics)
        self.sessions = Sessions(self.limits.limit_sessions, self.limits.limit_idle)
        self.ready, self.ending = False, False
        self._pool = ThreadPoolExecutor(_COMPUTING, "answers")
        self._loading = ThreadPoolExecutor(1, "loading")
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None
        self.metrics.watch("ostinato_sessions", "Sessions that are kept", lambda: len(self.sessions))
        self.metrics.watch(
            "ostinato_texts", "Texts and steps under way or waiting", lambda: sum(m.busy for m in self.runs.loaded())
        )
        self.metrics.watch("ostinato_waiting", "Answers under way or waiting", lambda: self._waiting)
        self.metrics.watch("ostinato_sending", "Answers that are being sent", lambda: self.metrics.sending)

    async def start(self) -> None:
        """Load the runs that were named, and look after folders and sessions from then on.

        Raises:
            OstinatoError: one is missing or damaged.
        """
        await asyncio.get_running_loop().run_in_executor(self._loading, self.runs.load_all)
        self._looking = asyncio.create_task(self._look())
        self.ready = True

    async def end(self) -> None:
        """Let go of threads."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        for model in self.runs.loaded():
            model.close()
        for pool in (self._pool, self._loading):
            pool.shutdown(wait=False, cancel_futures=True)

    @property
    def under_way(self) -> int:
        """Answers and texts that are waiting, being made, or being sent."""
        return self._waiting + self.metrics.sending + sum(model.busy for model in self.runs.loaded())

    async def compute(self, work: Callable[..., Found], *arguments: Any) -> Found:
        """Do some work in a thread, when its turn comes.

        Raises:
            Problem: 429, too many wait; 503, it takes too long, or the server ends.
        """
        self.require_open()
        if self._waiting >= self.limits.limit_queue + _COMPUTING:
            raise Problem(429, f"{self._waiting:,} requests wait already; ask again later", {"Retry-After": "1"})
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *arguments))
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self.limits.limit_time)
        except TimeoutError:
            future.cancel()
            raise Problem(503, f"no answer within {self.limits.limit_time:g} seconds; ask for less") from None

    def require_open(self) -> None:
        """That new requests are taken.

        Raises:
            Problem: 503, the server is ending.
        """
        if self.ending:
            raise Problem(503, "the server is ending; ask another, or later", {"Retry-After": "5"})

    def deadline(self) -> float:
        """When a request that comes now has to be answered, by `time.monotonic`."""
        return time.monotonic() + self.limits.limit_time

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # seen, whoever waits or has gone

    async def _look(self) -> None:
        """Again and again: other models in run folders, sessions that nobody asks."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK)
            self.sessions.forget_idle()
            for old, new in await loop.run_in_executor(self._loading, self.runs.renew):
                if not new.fits(old):
                    self.sessions.forget_run(new.name)


def serving_of(request: HTTPConnection) -> Serving:
    """The server of a request: what `create_app` made."""
    found: Serving = request.app.state.serving
    return found
