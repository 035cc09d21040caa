"""Where a training runs: in this process, in new ones beside it, or in those that torchrun has started."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing import resource_tracker
from typing import Any, NamedTuple, TypeAlias

from torch import distributed
from torch.multiprocessing.spawn import ProcessExitedException, start_processes

from ostinato.core import torchrun
from ostinato.core.errors import ConfigError, OstinatoError, TrainingError
from ostinato.training import ALONE, Interrupt, Processes

#: What each process does; it is pickled, with all that is bound to it.
Work: TypeAlias = Callable[[Processes], None]

#: How long processes wait for each other: the first may read data, or validate. One that has ended is noticed at once.
PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class Launcher:
    """Where a training runs.

    Attributes:
        size: processes that train together.
        joined: whether these are torchrun's, each of which runs the whole program; else they are started here.
    """

    size: int = 1
    joined: bool = False

    @classmethod
    def find(cls, devices: int) -> Launcher:
        """Torchrun's processes where this is one of them, else as many as asked for.

        Args:
            devices: what --devices says; 1 where it does not.

        Raises:
            ConfigError: there are not as many as it says.
        """
        _, size = torchrun.place()
        if size == 1:
            return cls(devices)
        if devices not in (1, size):
            raise ConfigError(
                f"--devices {devices}: torchrun has started {size} processes; leave the option out, or start as many"
            )
        return cls(size, joined=True)

    def launch(self, work: Work) -> None:
        """Do something in all processes, and wait for it.

        Raises:
            OstinatoError, KeyboardInterrupt: what the first of them ended with.
        """
        if self.joined:
            _broadcast(work)
            error = _done(work, Processes.of_group())
        else:
            error = _done(work, ALONE) if self.size == 1 else _spawned(work, self.size)
        if error is not None:
            raise error

    def lead(self, main: Callable[[], Any], follow: Callable[[], Any]) -> Any:
        """Do `main` in the first process. What it launches, torchrun's other processes do too.

        Args:
            main: what may call `launch`.
            follow: what the others do once it has ended well.

        Raises:
            Whatever `main` raises; in torchrun's other processes the same, or a TrainingError.
        """
        if not self.joined:
            return main()
        ours = not distributed.is_initialized()
        if ours:
            distributed.init_process_group("gloo", timeout=PATIENCE)
        try:
            return _leading(main) if Processes.of_group().first else _following(follow)
        finally:
            if ours:
                distributed.destroy_process_group()


class _End(NamedTuple):
    """The first process launches no more."""

    error: BaseException | None = None


def _broadcast(message: Work | _End | None = None) -> Any:
    """The first process's message, in every process of torchrun's."""
    box = [message]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def _leading(main: Callable[[], Any]) -> Any:
    try:
        found = main()
    except BaseException as error:
        known = isinstance(error, OstinatoError | KeyboardInterrupt)
        with suppress(RuntimeError):  # where the others have gone
            _broadcast(_End(error if known else TrainingError(f"the first process has ended: {error!r}")))
        raise
    _broadcast(_End())
    return found


def _following(follow: Callable[[], Any]) -> Any:
    try:
        while not isinstance(message := _broadcast(), _End):
            _done(message, Processes.of_group())  # what it ends with, the first process ends with too
    except RuntimeError as lost:
        raise TrainingError(f"the first training process has ended: {lost}") from None
    if message.error is not None:
        raise message.error
    return follow()


def _done(work: Work, processes: Processes) -> BaseException | None:
    """Do it; an error is returned, since raised in another process it would arrive as a traceback."""
    try:
        with warnings.catch_warnings():
            if processes.rank:  # the first process says it
                warnings.simplefilter("ignore")
            work(processes)
    except (OstinatoError, KeyboardInterrupt) as stopped:
        return stopped
    except RuntimeError as lost:
        if processes.size == 1 or "peer" not in str(lost):
            raise
        return TrainingError(f"another training process has ended: {lost}")  # who started both says which
    return None


def _spawned(work: Work, size: int) -> BaseException | None:
    """Do it in new processes; on Ctrl-C and the like, let them save and end. What the first of them ended with.

    They are started from a thread that holds back such signals, which they inherit: one that comes while they still
    import torch waits until they can save, where it would have left a traceback.

    Raises:
        KeyboardInterrupt: once they have saved.
        TrainingError: one of them was killed.
    """
    before = set(multiprocessing.active_children())
    # they meet at a port that the system chooses
    store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    errors = multiprocessing.get_context("spawn").SimpleQueue()
    arguments = (work, size, store.port, errors)
    start = partial(start_processes, _in_new_process, arguments, size, start_method="spawn")
    with ThreadPoolExecutor(1, initializer=_hold_back_interrupts) as starter, Interrupt() as interrupt:
        ended: Future[Any] = starter.submit(start)
        while not ended.done():
            if interrupt.requested:  # again and again, as some may not have been there yet
                for process in set(multiprocessing.active_children()) - before:
                    if process.pid is not None:
                        with suppress(ProcessLookupError):  # it has just ended
                            os.kill(process.pid, signal.SIGINT)
            wait([ended], timeout=0.2)
        try:
            ended.result()
        except ProcessExitedException as killed:
            raise TrainingError(
                f"a training process was ended from outside ({killed.signal_name or f'status {killed.exit_code}'}), "
                "for lack of memory perhaps: try a smaller --batch. The last checkpoint is kept; go on with --resume"
            ) from None
        if interrupt.requested:
            raise KeyboardInterrupt
        error: BaseException | None = errors.get()
        return error


def _hold_back_interrupts() -> None:
    """For this thread, and the processes that it starts."""
    resource_tracker.ensure_running()  # it would end the holding back when it comes with the first process
    signal.pthread_sigmask(signal.SIG_BLOCK, Interrupt.SIGNALS)


def _in_new_process(rank: int, work: Work, size: int, port: int, errors: Any) -> None:
    store = distributed.TCPStore("127.0.0.1", port, is_master=False)  # type: ignore[attr-defined]
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=PATIENCE)
    error = _done(work, Processes.of_group())
    if rank == 0:
        errors.put(error)
    for number in Interrupt.SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # one of two Ctrl-C may come late
    distributed.destroy_process_group()
    atexit.register(os._exit, 0)  # ending the interpreter, torch's threads abort it now and then
