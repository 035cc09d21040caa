"""Processes that train together: started, asked to save, waited for."""

import atexit
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from multiprocessing import resource_tracker
from typing import Any

import torch
from torch.multiprocessing.spawn import ProcessExitedException

from ostinato.core.errors import TrainingError
from ostinato.training import Interrupt


def in_processes(launch: Callable[[], Any]) -> Any:
    """Start processes and wait for them; on Ctrl-C and the like, let them save and end.

    They are started from a thread that holds back such signals, which they inherit: one that comes while they still
    import torch waits until they can save, where it would have left a traceback.

    Raises:
        KeyboardInterrupt: once they have saved.
        TrainingError: one of them was killed.
    """
    before = set(multiprocessing.active_children())
    with ThreadPoolExecutor(1, initializer=_hold_back_interrupts) as starter, Interrupt() as interrupt:
        ended = starter.submit(launch)
        while not ended.done():
            if interrupt.requested:  # again and again, as some may not have been there yet
                for process in set(multiprocessing.active_children()) - before:
                    if process.pid is not None:
                        with suppress(ProcessLookupError):  # it has just ended
                            os.kill(process.pid, signal.SIGINT)
            wait([ended], timeout=0.2)
        try:
            error = ended.result()
        except ProcessExitedException as killed:
            raise TrainingError(
                f"a training process was ended from outside ({killed.signal_name or f'status {killed.exit_code}'}), "
                "for lack of memory perhaps: try a smaller --batch. The last checkpoint is kept; go on with --resume"
            ) from None
        if interrupt.requested:
            raise KeyboardInterrupt
        return error


def _hold_back_interrupts() -> None:
    """For this thread, and the processes that it starts."""
    resource_tracker.ensure_running()  # it would end the holding back when it comes with the first process
    signal.pthread_sigmask(signal.SIG_BLOCK, Interrupt.SIGNALS)


def leave() -> None:
    """End this process's part, once all is saved."""
    for number in Interrupt.SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # one of two Ctrl-C may come late
    torch.distributed.destroy_process_group()
    atexit.register(os._exit, 0)  # ending the interpreter, torch's threads abort it now and then
