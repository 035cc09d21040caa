"""Where a training runs: in this process, in new ones beside it, or in those that torchrun or Slurm has started."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing import resource_tracker
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from torch import distributed
from torch.multiprocessing.spawn import ProcessExitedException

from ostinato.core import cluster
from ostinato.core.errors import ConfigError, OstinatoError, TrainingError
from ostinato.training import ALONE, Interrupt, Processes

if TYPE_CHECKING:  # one process does not wait for it
    from lightning_fabric import Fabric

for _name in ("distributed", "rank_zero"):  # who meets whom is no news
    logging.getLogger(f"lightning_fabric.utilities.{_name}").setLevel(logging.WARNING)

#: What each process does; it is pickled, with all that is bound to it.
Work: TypeAlias = Callable[[Processes], None]

#: How long processes wait for each other: the first may read data, or validate. One that has ended is noticed at once.
PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class Launcher:
    """Where a training runs.

    Attributes:
        size: processes that train together.
        fabric: what holds them together where torchrun or the like has started them, each of which runs the whole
            program; None where they are started here.
    """

    size: int = 1
    fabric: Fabric | None = None

    @classmethod
    @contextmanager
    def find(cls, devices: int) -> Iterator[Launcher]:
        """The processes of torchrun, Slurm and the like where this is one of them, else as many as asked for.

        Args:
            devices: what --devices says; 1 where it does not.

        Raises:
            ConfigError: there are not as many as it says, or they do not find each other.
        """
        _, size, beside = cluster.place()
        if size == 1:
            yield cls(devices)
            return
        if devices not in (1, size):
            starter = "torchrun" if "RANK" in os.environ else "Slurm"
            raise ConfigError(
                f"--devices {devices}: {starter} has started {size} processes; leave the option out, or start as many"
            )
        ours = not distributed.is_initialized()
        with _one_message():
            fabric = _joined(beside, size // beside)
        try:
            yield cls(fabric.world_size, fabric)
        finally:
            if ours:
                distributed.destroy_process_group()

    def launch(self, work: Work) -> None:
        """Do something in all processes, and wait for it.

        Raises:
            OstinatoError, KeyboardInterrupt: what the first of them ended with.
        """
        if self.fabric is not None:
            error = _done(self.fabric.broadcast(work), Processes.of(self.fabric))
        else:
            error = _done(work, ALONE) if self.size == 1 else _spawned(work, self.size)
        if error is not None:
            raise error

    def lead(self, main: Callable[[], Any], follow: Callable[[], Any]) -> Any:
        """Do `main` in the first process. What it launches, the others that torchrun has started do too.

        Args:
            main: what may call `launch`.
            follow: what the others do once it has ended well.

        Raises:
            TrainingError: in the others, where the first has ended. What `main` raises is raised in all of them.
        """
        if self.fabric is None:
            return main()
        return _leading(self.fabric, main) if self.fabric.is_global_zero else _following(self.fabric, follow)


def _fabric(devices: int, nodes: int = 1, **strategy: Any) -> Fabric:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    ddp = DDPStrategy(process_group_backend="gloo", timeout=PATIENCE, **strategy)
    return Fabric(accelerator="cpu", devices=devices, num_nodes=nodes, strategy=ddp)


def _joined(devices: int, nodes: int) -> Fabric:
    """The processes that are there already, brought together."""
    from lightning_fabric.plugins.environments.kubeflow import KubeflowEnvironment

    # torch's variables without torchrun: Fabric has a class that reads them, and does not look for them by itself
    bare = "RANK" in os.environ and not distributed.is_torchelastic_launched()
    fabric = _fabric(devices, nodes, cluster_environment=KubeflowEnvironment() if bare else None)
    fabric.launch()
    return fabric


@contextmanager
def _one_message() -> Iterator[None]:
    """What Fabric or torch cannot do with the processes it is to bring together, as an error of ours."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"several processes cannot work together here: {error}") from None


class _End(NamedTuple):
    """The first process launches no more."""

    error: BaseException | None = None


def _leading(fabric: Fabric, main: Callable[[], Any]) -> Any:
    try:
        found = main()
    except BaseException as error:
        known = isinstance(error, OstinatoError | KeyboardInterrupt)
        with suppress(RuntimeError):  # where the others have gone
            fabric.broadcast(_End(error if known else TrainingError(f"the first process has ended: {error!r}")))
        raise
    fabric.broadcast(_End())
    return found


def _following(fabric: Fabric, follow: Callable[[], Any]) -> Any:
    message: Any = None
    try:
        while not isinstance(message := fabric.broadcast(message), _End):
            _done(message, Processes.of(fabric))  # what it ends with, the first process ends with too
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
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    before = set(multiprocessing.active_children())
    with _one_message():
        fabric = _fabric(size, start_method="spawn", cluster_environment=LightningEnvironment())
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
    error = _done(work, Processes.of(fabric))
    distributed.destroy_process_group()
    atexit.register(os._exit, 0)  # ending the interpreter, torch's threads abort it now and then
    return error


def _unmoved(number: int, frame: FrameType | None) -> None:
    """Who has saved ends by itself: another Ctrl-C would end it without an answer, which Fabric waits for."""
