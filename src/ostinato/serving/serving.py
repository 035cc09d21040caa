"""What a server has, that all its routes share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from starlette.requests import HTTPConnection

from ostinato.config.serving import ServeSettings
from ostinato.serving.problems import Problem
from ostinato.serving.served import Registry

Found = TypeVar("Found")

#: Threads that answer: kernels use all processors, so more would only get in each other's way.
_COMPUTING = 2


class Serving:
    """Runs, settings, and who computes.

    Attributes:
        runs: by name.
        settings: limits among them.
        ready: whether all runs are loaded.
        ending: whether the server is about to end: what runs finishes, what is new is refused.
    """

    def __init__(self, runs: Registry, settings: ServeSettings) -> None:
        self.runs, self.settings, self.limits = runs, settings, settings.limits
        self.ready, self.ending = False, False
        self._pool = ThreadPoolExecutor(_COMPUTING, "answers")
        self._waiting = 0

    async def compute(self, work: Callable[..., Found], *arguments: Any) -> Found:
        """Do some work in a thread, when its turn comes.

        Raises:
            Problem: 429, too many wait; 503, it takes too long, or the server ends.
        """
        if self.ending:
            raise Problem(503, "the server is ending; ask another, or later", {"Retry-After": "5"})
        if self._waiting >= self.limits.limit_queue + _COMPUTING:
            raise Problem(429, f"{self._waiting:,} requests wait already; ask again later", {"Retry-After": "1"})
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *arguments))
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(future, self.limits.limit_time)
        except TimeoutError:
            raise Problem(503, f"no answer within {self.limits.limit_time:g} seconds; ask for less") from None

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # seen, whoever waits or has gone

    def close(self) -> None:
        """Let go of threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def serving_of(request: HTTPConnection) -> Serving:
    """The server of a request: what `create_app` made."""
    found: Serving = request.app.state.serving
    return found
