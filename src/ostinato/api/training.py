"""From options to a trained run."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import platform
import signal
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from importlib.metadata import version
from multiprocessing import resource_tracker
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch

from ostinato.api import language_model
from ostinato.api.card import model_card
from ostinato.api.compute import compute_settings
from ostinato.api.language_model import Prepared
from ostinato.api.plugins import import_plugins
from ostinato.api.run import Run, load
from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.files import write_bytes
from ostinato.config.commands import TrainLm
from ostinato.config.merge import beneath, build, flatten
from ostinato.core.errors import ConfigError, OstinatoError, RunFolderError
from ostinato.core.registry import lookup
from ostinato.data.corpus import Progress as Told
from ostinato.training import Clock, Progress, Trainer

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Options that may differ when a run is resumed: they say how long and where, not what.
_MAY_CHANGE = {"epochs", "time_limit", "patience", "save_every", "test", "plugin"}
#: Options of one invocation, which no run keeps.
_PASSING = {"text", "out", "config", "resume", "overwrite", "json"}


def train(task: str, *sources: str | PathLike[str], out: str | PathLike[str], **options: Any) -> Run:
    """Train a model on your data; what `ostinato train` does.

    Args:
        task: "lm" for a language model.
        *sources: text files, gzipped files or folders.
        out: the run folder to write.
        **options: those of the command line, with underscores: `level="word"`, `preset="rnnlm"`, `time_limit=600`.

    Returns:
        The run, with its best weights.

    Raises:
        ConfigError: an option that cannot be used.
        DataError: text that cannot be used.
        RunFolderError: `out` is in the way or cannot be written.
        TrainingError: the loss is no longer finite.
    """
    started = time.monotonic()
    if task != "lm":
        raise ConfigError(f"unknown task {task!r}: expected 'lm'")
    saved = saved_options(str(out)) if options.get("resume") and RunFolder(str(out)).is_run() else {}
    base = beneath(options.get("preset"), saved, options.get("config"))
    flat = {"text": [str(source) for source in sources], "out": str(out), **base, **options}
    return train_language_model(build(TrainLm, flat, "train"), started)


def train_language_model(options: TrainLm, started: float, told: Callable[[str], Told] | None = None) -> Run:
    """Train as the options say, or go on with the run that is there.

    Args:
        options: of `ostinato train lm`.
        started: `time.monotonic()` when the command began, which `time_limit` counts from.
        told: called with the name of a long piece of work; gives what is then told how far it is.
    """
    folder = RunFolder(options.out)
    import_plugins(options.plugin)
    lookup(options.model.cell)
    folder.claim(resume=options.resume, overwrite=options.overwrite)
    resuming = options.resume and folder.resume_point.exists()
    if options.resume and not resuming and folder.weights.exists():
        raise RunFolderError(
            f"--resume: {folder.path} holds weights but no checkpoint to go on from; use it as it is, "
            "or replace it by --overwrite"
        )
    if resuming:
        _require_same_options(options, folder)
        if _finished(options, folder):
            return load(folder.path)
    if not options.text:
        raise ConfigError("TEXT: expected at least one file, folder, or - for standard input")
    prepared = language_model.prepare(options, told("reading text") if told else None)
    config = language_model.configuration(options, prepared)
    with torch.device("meta"):
        language_model.build(config, folder.config)  # sizes that do not fit should show before anything is written
    if resuming:
        _require_same_text(config, folder)
    else:
        folder.start(config | {"versions": _versions()})
        write_bytes(folder.tokenizer, prepared.tokenizer.to_json().encode())
    _launch(options, prepared, started)
    run = load(folder.path)
    with compute_settings(options.training.threads, options.training.precision):
        if options.test is not None:
            run.test = run.evaluate(options.test, progress=told("testing") if told else None)
    folder.write_card(model_card(run))
    return run


def saved_options(out: str) -> dict[str, Any]:
    """The options a run was started with, by plain name."""
    folder = RunFolder(out)
    found = language_model.saved_options(folder.read_config("lm"), folder.config)
    return {name: value for name, value in found.items() if name not in _PASSING}


def _launch(options: TrainLm, prepared: Prepared, started: float) -> None:
    """Run the loop in this process, or in as many new ones as `devices` says."""
    from lightning_fabric import Fabric

    devices = options.training.devices
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = Fabric(accelerator="cpu", devices=devices, strategy="ddp_spawn" if devices > 1 else "auto")
    if devices == 1:
        error = _work(fabric, options, prepared, started)
    else:
        # bound, not passed on: Fabric looks into arguments and refuses frozen dataclasses
        work = partial(_work, options=options, prepared=prepared, started=started)
        error = _in_processes(partial(fabric.launch, work))
    if error is not None:
        raise error


def _in_processes(launch: Callable[[], Any]) -> Any:
    """Start processes and wait for them; on Ctrl-C, let them save and end.

    They are started from a thread that holds back Ctrl-C, which they inherit: one that comes while they still import
    torch waits until they can save, where it would have left a traceback.
    """
    before = set(multiprocessing.active_children())
    with ThreadPoolExecutor(1, initializer=_hold_back_interrupts) as starter:
        ended = starter.submit(launch)
        try:
            return ended.result()
        except KeyboardInterrupt:
            while not ended.done():  # again and again, as some may not have been there yet
                for process in set(multiprocessing.active_children()) - before:
                    if process.pid is not None:
                        os.kill(process.pid, signal.SIGINT)
                wait([ended], timeout=0.5)
            raise


def _hold_back_interrupts() -> None:
    """For this thread, and the processes that it starts."""
    resource_tracker.ensure_running()  # it would end the holding back when it comes with the first process
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _work(fabric: Fabric, options: TrainLm, prepared: Prepared, started: float) -> BaseException | None:
    """What each process does; an error is returned, since raised in another process it would arrive as a traceback."""
    error: BaseException | None = None
    try:
        _train(fabric, options, prepared, started)
    except (OstinatoError, KeyboardInterrupt) as stopped:
        error = stopped
    if fabric.world_size > 1:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one of two Ctrl-C may come late, when all is saved
        torch.distributed.destroy_process_group()
        atexit.register(os._exit, 0)  # ending the interpreter, torch's threads abort it now and then
    return error


def _train(fabric: Fabric, options: TrainLm, prepared: Prepared, started: float) -> None:
    """Build the same model in each process, take this one's slice of the streams, train."""
    training, folder = options.training, RunFolder(options.out)
    import_plugins(options.plugin)
    with compute_settings(training.threads, training.precision, training.devices):
        torch.manual_seed(training.seed)
        model = language_model.build(folder.read_config(), folder.config)
        if fabric.global_rank:
            torch.manual_seed(training.seed + 1_000_003 * fabric.global_rank)  # other masks than the first process
        job = language_model.job(options, model, prepared, fabric.global_rank)
        about = language_model.describe(model, prepared)
        progress = Progress(job.figure, training.last_epoch, about=about, shown=fabric.is_global_zero)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Fabric's advice on hardware that is not asked for
            Trainer(fabric, job, folder, training, Clock(training.time_limit, started), progress).fit()


def _require_same_options(options: TrainLm, folder: RunFolder) -> None:
    now, then = flatten(options), saved_options(str(folder.path))
    for name, value in then.items():
        if (
            name not in _MAY_CHANGE
            and name in now
            and now[name] != value
            and name not in ("resume", "overwrite", "json")
        ):
            raise ConfigError(
                f"--resume: the run in {folder.path} was started with {name} = {value!r}, now it is {now[name]!r}; "
                "leave the option out, or start another run"
            )


def _require_same_text(config: dict[str, Any], folder: RunFolder) -> None:
    then = folder.read_config("lm")["data"]
    for part in ("train", "valid"):
        if config["data"][part]["sha256"] != then[part]["sha256"]:
            raise RunFolderError(
                f"--resume: the text to {part} on is not the one that the run in {folder.path} was started with "
                f"({', '.join(then[part]['files'])}); give the same, or start another run"
            )


def _finished(options: TrainLm, folder: RunFolder) -> bool:
    """Whether there is nothing left to do: more epochs than the run was to have go on with it, however it ended."""
    position = folder.resume_point.position()
    planned = position.get("planned_epochs")
    last = options.training.epochs
    return bool(position["finished"]) and not (
        last is not None and last > (position["epoch"] if planned is None else planned)
    )


def _versions() -> dict[str, str]:
    packages = ("ostinato", "torch", "numpy", "tokenizers", "lightning-fabric")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
