"""Where a training runs: in this process, in new ones beside it, or in those that torchrun or Slurm has started."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from torch import distributed
from torch.multiprocessing.spawn import ProcessExitedException

from ostinato.api.heartbeat import Heartbeat
from ostinato.api.joining import joined, make_fabric, one_message
from ostinato.api.sending import sent
from ostinato.config.training import TrainingOptions
from ostinato.core import cluster
from ostinato.core.accelerator import resolve
from ostinato.core.errors import ConfigError, LostError, OstinatoError, TrainingError
from ostinato.training import ALONE, Interrupt, Processes

if TYPE_CHECKING:  # one process does not wait for it
    from lightning_fabric import Fabric

for _name in ("distributed", "rank_zero"):  # who meets whom is no news
    logging.getLogger(f"lightning_fabric.utilities.{_name}").setLevel(logging.WARNING)

#: What each process does; it is pickled, with all that is bound to it.
Work: TypeAlias = Callable[[Processes], None]


@dataclass(frozen=True)
class Launcher:
    """Where a training runs.

    Attributes:
        size: processes that train together.
        fabric: what holds them together where torchrun or the like has started them, each of which runs the whole
            program; None where they are started here.
        heartbeat: says who of those is lost.
        kind: of the devices that compute.
    """

    size: int = 1
    fabric: Fabric | None = None
    heartbeat: Heartbeat | None = None
    kind: str = "cpu"

    @classmethod
    @contextmanager
    def find(cls, devices: int, patience: float, data: Iterable[str] = (), kind: str = "cpu") -> Iterator[Launcher]:
        """The processes of torchrun, Slurm and the like where this is one of them, else as many as asked for.

        Args:
            devices: what --devices says; 1 where it does not.
            patience: seconds without a sign of life of another process after which it is lost.
            data: names of files that are the same on each machine that has them.
            kind: of the devices that compute.

        Raises:
            ConfigError: there are not as many as it says, or they are not alike.
            DataError: files that are not the same.
            LostError: they do not find each other.
        """
        place = cluster.place()
        size = place.size
        if size == 1:
            yield cls(devices, kind=kind)
            return
        if devices not in (1, size):
            starter = "torchrun" if "RANK" in os.environ else "Slurm"
            raise ConfigError(
                f"--devices {devices}: {starter} has started {size} processes; leave the option out, or start as many"
            )
        with joined(place, patience, data, kind) as (fabric, heartbeat):
            yield cls(size, fabric, heartbeat, kind)

    def launch(self, work: Work) -> None:
        """Do something in all processes, and wait for it.

        Raises:
            OstinatoError, KeyboardInterrupt: what the first of them ended with.
        """
        if self.fabric is not None:
            try:
                everyones = sent(self.fabric, cluster.place(), work)
            except RuntimeError as lost:
                raise _missed(lost, self.heartbeat) from None
            error = _done_together(everyones, self.fabric, self.heartbeat)
        else:
            error = _done(work, ALONE) if self.size == 1 else _spawned(work, self.size, self.kind)
        if error is not None:
            raise error

    def lead(
        self, main: Callable[[], Any], follow: Callable[[str | None], Any], name: Callable[[Any], str | None]
    ) -> Any:
        """Do `main` in the first process. What it launches, the others that torchrun has started do too.

        Args:
            main: what may call `launch`.
            follow: what the others do once it has ended well, by the name of what it found.
            name: of what it found.

        Raises:
            TrainingError: in the others, where the first has ended. What `main` raises is raised in all of them.
        """
        if self.fabric is None:
            return main()
        if self.fabric.is_global_zero:
            return _leading(self.fabric, main, name)
        return follow(_following(self.fabric, self.heartbeat))


class _End(NamedTuple):
    """The first process launches no more."""

    error: BaseException | None = None
    name: str | None = None


def _leading(fabric: Fabric, main: Callable[[], Any], name: Callable[[Any], str | None]) -> Any:
    try:
        found = main()
    except BaseException as error:
        known = isinstance(error, OstinatoError | KeyboardInterrupt)
        if not isinstance(error, LostError):  # else nobody would hear it
            with suppress(RuntimeError):  # where the others have gone
                message = error if known else TrainingError(f"the first process has ended: {error!r}")
                sent(fabric, cluster.place(), _End(message))
        raise
    with suppress(RuntimeError):  # the run is whole, whoever has gone
        sent(fabric, cluster.place(), _End(name=name(found)))
    return found


def _following(fabric: Fabric, heartbeat: Heartbeat | None) -> str | None:
    """Do what the first process launches, until its end; gives the name of what it found."""
    while True:
        try:
            message = sent(fabric, cluster.place(), None)
        except RuntimeError as lost:
            raise _missed(lost, heartbeat) from None
        if isinstance(message, _End):
            if message.error is not None:
                raise message.error
            return message.name
        ended = _done_together(message, fabric, heartbeat)
        if isinstance(ended, LostError):
            raise ended
        # what else it ends with, the first process ends with too


def _missed(error: RuntimeError, heartbeat: Heartbeat | None) -> RuntimeError | LostError:
    """What a process says to an error of the connections to others; what is none stays as it is."""
    if isinstance(error, OstinatoError) or not ("gloo" in str(error) or "peer" in str(error)):
        return error
    lost = None if heartbeat is None else heartbeat.lost()
    if lost is None:
        return LostError(f"another training process has ended: {error}")  # who started both says which
    who, first = lost
    return LostError(
        f"{who} is no longer heard of: killed, or its machine or the network to it is down. The last checkpoint is "
        "kept; go on with --resume",
        speaks=first and (cluster.place().rank == 1 or cluster.place().local == 0),
    )


def _done(work: Work, processes: Processes, heartbeat: Heartbeat | None = None) -> BaseException | None:
    """Do it; an error is returned, since raised in another process it would arrive as a traceback."""
    try:
        with warnings.catch_warnings():
            if processes.rank:  # the first process says it
                warnings.simplefilter("ignore")
            work(processes)
    except (OstinatoError, KeyboardInterrupt) as stopped:
        return stopped
    except RuntimeError as lost:
        found = lost if processes.size == 1 else _missed(lost, heartbeat)
        if found is lost:
            raise
        return found
    return None


def _done_together(work: Work, fabric: Fabric, heartbeat: Heartbeat | None = None) -> BaseException | None:
    """The same in one of several processes."""
    try:
        with Processes.of(fabric, None if heartbeat is None else heartbeat.misses) as processes:
            return _done(work, processes, heartbeat)
    except RuntimeError as lost:  # before there was anything to do
        if (found := _missed(lost, heartbeat)) is lost:
            raise
        return found


def _spawned(work: Work, size: int, kind: str) -> BaseException | None:
    """Do it in new processes; on Ctrl-C and the like, let them save and end. What the first of them ended with.

    They are started from a thread that holds back such signals, which they inherit: one that comes while they still
    import torch waits until they can save, where it would have left a traceback.

    Raises:
        KeyboardInterrupt: once they have saved.
        TrainingError: one of them was killed.
    """
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    before = set(multiprocessing.active_children())
    with one_message():
        fabric = make_fabric(size, kind=kind, start_method="spawn", cluster_environment=LightningEnvironment())
    start = partial(fabric.launch, partial(_in_new_process, work=work))
    with _meeting(), ThreadPoolExecutor(1, initializer=_hold_back_interrupts) as starter, Interrupt() as interrupt:
        ended: Future[Any] = starter.submit(start)
        while not ended.done():
            if interrupt.requested:  # again and again, as some may not have been there yet
                for process in set(multiprocessing.active_children()) - before:
                    if process.pid is not None:
                        with suppress(ProcessLookupError):  # it has just ended
                            os.kill(process.pid, signal.SIGINT)
            wait([ended], timeout=0.2)
        try:
            error: BaseException | None = ended.result()
        except ProcessExitedException as killed:
            raise TrainingError(
                f"a training process was ended from outside ({killed.signal_name or f'status {killed.exit_code}'}), "
                "for lack of memory perhaps: try a smaller --batch. The last checkpoint is kept; go on with --resume"
            ) from None
        if interrupt.requested:
            raise KeyboardInterrupt
        return error


@contextmanager
def _meeting() -> Iterator[None]:
    """Where new processes meet: at a port that the system chooses, held from here.

    Fabric would look for a free one and let it go until the first of them takes it, seconds later; and it would leave
    it behind as MASTER_PORT, for the next training of this process.
    """
    store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    said = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # torch's word for a store that none of them holds
        "NODE_RANK": "0",
    }
    before = {name: os.environ.get(name) for name in said}
    os.environ.update(said)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _hold_back_interrupts() -> None:
    """For this thread, and the processes that it starts."""
    resource_tracker.ensure_running()  # it would end the holding back when it comes with the first process
    signal.pthread_sigmask(signal.SIG_BLOCK, Interrupt.SIGNALS)


def _in_new_process(fabric: Fabric, work: Work) -> BaseException | None:
    for number in Interrupt.SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _unmoved)
    error = _done_together(work, fabric)
    distributed.destroy_process_group()
    atexit.register(os._exit, 0)  # ending the interpreter, torch's threads abort it now and then
    return error


def _unmoved(number: int, frame: FrameType | None) -> None:
    """Who has saved ends by itself: another Ctrl-C would end it without an answer, which Fabric waits for."""


def kind_of(training: TrainingOptions) -> str:
    """Of the devices that train.

    Raises:
        ConfigError: torch cannot use it here, or not by several processes.
    """
    kind = resolve(training.accelerator).type
    if kind == "mps" and max(training.devices, cluster.place().size) > 1:
        raise ConfigError("--accelerator mps: several processes cannot share an Apple GPU; use --accelerator cpu")
    return kind
