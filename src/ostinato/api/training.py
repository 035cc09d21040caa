"""From options to a trained run."""

import time
import warnings
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, cast

import torch

from ostinato.advice import Adviser, explain
from ostinato.api.asking import asked_for
from ostinato.api.beginning import begin
from ostinato.api.compute import compute_settings
from ostinato.api.embedding import Vectors, as_wide_as_vectors, vectors_for
from ostinato.api.jobs import Reporting, configuration, job_of, prepared_data, silent
from ostinato.api.launching import Launcher, kind_of
from ostinato.api.loading import build_model
from ostinato.api.plugins import import_plugins
from ostinato.api.precision import Products, computed_in, measured_in, products_of
from ostinato.api.run import Run, load
from ostinato.api.saved import (
    finished_already,
    in_batches_as_before,
    other_data,
    require_same_data,
    require_same_options,
)
from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.files import fingerprint
from ostinato.config.merge import flatten
from ostinato.core import cluster
from ostinato.core.accelerator import resolve
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.core.memory import freed_kept
from ostinato.core.registry import lookup
from ostinato.core.versions import versions
from ostinato.data.sources.encodings import read_as
from ostinato.data.tables.layout import Layout, laid_out, layout_of
from ostinato.plots.style import pictures_may_fail
from ostinato.tasks import PICTURES, TABLES, find
from ostinato.tasks.card import write_card
from ostinato.tasks.contract import Draws, Refits
from ostinato.tasks.options import TrainOptions
from ostinato.tasks.pretraining import Pretrains
from ostinato.training import Clock, MetricsFile, Observer, Processes, Trainer


def train(task: str, *sources: Any, out: str | PathLike[str], **options: Any) -> Run:
    """Train a model on your data; what `ostinato train` does.

    Args:
        task: "lm" for a language model, "classify" for labels, and so on.
        *sources: what the command line takes as data: text files, tables. Or data in memory: a data frame, a dict of
            columns, a list of dicts as rows; so may `valid` and `test` be.
        out: the run folder to write.
        **options: those of the command line, with underscores: `level="word"`, `preset="rnnlm"`, `time_limit=600`. What
            has commas there may be a list: `target=["load", "price"]`, `season=[24, 168]`.

    Returns:
        The run, with its best weights.

    Raises:
        ConfigError: an option that cannot be used.
        DataError: data that cannot be used.
        RunFolderError: `out` is in the way or cannot be written.
        TrainingError: the loss is no longer finite.
    """
    started = time.monotonic()
    asked, data = asked_for(task, sources, str(out), options)
    with data.within():
        return train_task(asked, started)


def train_task(options: TrainOptions, started: float, progress_of: Reporting = silent) -> Run:
    """Train as the options say, or go on with the run that is there.

    Args:
        options: of `ostinato train TASK`.
        started: `time.monotonic()` when the command began, which `time_limit` counts from.
        progress_of: says how far long pieces of work are.
    """
    if options.start.find_lr:
        raise ConfigError("find_lr: trains nothing; call ostinato.find_lr with the same arguments")
    training = options.training
    resumes = options.start.resume and cluster.place().size > 1  # with the number that it was begun with, not asked for
    devices, kind = 1 if resumes else training.devices, kind_of(training)
    with Launcher.find(devices, training.lost_after, _named_files(options), kind) as launcher:
        start = options.start
        if cluster.restarted() and not start.overwrite:
            start = replace(start, resume=True)
        shared = replace(cast("Any", options), training=replace(training, devices=launcher.size), start=start)

        def follow(weights: str | None) -> Run:
            import_plugins(shared.start.plugin)
            if weights is None or fingerprint(str(RunFolder(shared.out).weights)) != weights:
                return cast("Run", None)  # of another machine, which has not the run
            return load(shared.out)

        def weights_of(run: Run) -> str | None:
            return fingerprint(str(run.folder.weights))

        return launcher.lead(lambda: _train_task(shared, started, progress_of, launcher), follow, weights_of)


def _named_files(options: TrainOptions) -> list[str]:
    """What names data, as far as files do."""
    values = [getattr(options, name) for name in (*options.NAMING_DATA, "valid", "test")]
    return sorted({one for each in values if each for one in ([each] if isinstance(each, str) else each)})


def _train_task(options: TrainOptions, started: float, progress_of: Reporting, launcher: Launcher) -> Run:
    folder = RunFolder(options.out, PICTURES)
    import_plugins(options.start.plugin)
    if options.model.cell is not None:  # else the task chooses one
        lookup(options.model.cell)
    _require_lasting(options.test)
    layout = layout_of(flatten(options)) if options.TASK in TABLES else Layout()
    if not (options.start.resume and folder.resume_point.exists()):
        options = _pretrained(options, folder, layout, started, progress_of, launcher)
    with read_as(options.reading.encoding), laid_out(layout):
        folder.claim(resume=options.start.resume, overwrite=options.start.overwrite)
        with folder.locked():
            return _train_alone(options, folder, started, progress_of, launcher)


def _pretrained(
    options: TrainOptions,
    folder: RunFolder,
    layout: Layout,
    started: float,
    progress_of: Reporting,
    launcher: Launcher,
) -> TrainOptions:
    """Train what comes before, where the options ask for it; the options that begin with it. The data is read first, so
    that what is wrong with it shows before time goes into that."""
    task = find(options.TASK)
    found = task.pretraining(options) if isinstance(task, Pretrains) else None
    if found is None:
        return options
    before, then = found
    with read_as(options.reading.encoding), laid_out(layout):
        folder.claim(resume=options.start.resume, overwrite=options.start.overwrite)
        with folder.locked():
            prepared_data(options, None, progress_of)
    _train_task(before, started, progress_of, launcher)
    return then


def _train_alone(
    options: TrainOptions, folder: RunFolder, started: float, progress_of: Reporting, launcher: Launcher
) -> Run:
    task = find(options.TASK)
    resuming = options.start.resume and folder.resume_point.exists()
    if options.start.resume and not resuming and folder.weights.exists():
        raise RunFolderError(
            f"--resume: {folder.path} holds weights but no checkpoint to go on from; use it as it is, "
            "or replace it by --overwrite"
        )
    if not resuming:
        options = as_wide_as_vectors(options)
    finished = False
    if resuming and "imported" in folder.read_config(options.TASK):
        raise RunFolderError(
            f"--resume: {folder.path} was imported, it has no training to go on with; use it as it is, or "
            "replace it by --overwrite"
        )
    products = products_of(options, folder if resuming else None)
    options = computed_in(options, products)
    if resuming:
        options = in_batches_as_before(options, folder)
        require_same_options(options, folder)
        finished = finished_already(options, folder)
        names_data = any(getattr(options, name) for name in options.NAMING_DATA)
        if finished and (folder.card.exists() or not names_data):
            differing = _parts_that_differ(options, folder, progress_of) if names_data else set()
            return _as_it_was(load(folder.path), options, products, progress_of, "test" in differing)
        if not finished:
            folder.resume_point.require_tensors()
    begun = begin(options, folder if resuming else None)
    prepared = prepared_data(options, begun, progress_of)
    vectors = None if resuming else vectors_for(options, prepared.codec, progress_of("reading vectors"))
    config = configuration(options, prepared, None if resuming else begun)
    if resuming:
        require_same_data(options, config, folder)
        if finished:
            folder.amend(config)
        place = folder
    else:
        config |= {"vectors": vectors.record} if vectors is not None else {}
        config |= {"precision": products.record(), "versions": versions()}
        place = folder.start(config, task.files(prepared))
    if not finished:
        of_run = {"options": options, "products": products, "prepared": prepared, "vectors": vectors}
        launcher.launch(partial(_train, **of_run, started=started, folder=place))
    _refit(options, prepared, folder, started)
    run = load(folder.path)
    if options.test is not None:
        run.test = _evaluated(run, options, products, progress_of)
        folder.save_test(options.test, run.test, fingerprint(options.test))
    if isinstance(task, Draws):
        with compute_settings(options.training.threads, products.measured), pictures_may_fail():
            task.finish(run, prepared)
    folder.write_card(write_card(task.card(run), run, folder.resume_point.position()))
    return run


def _refit(options: TrainOptions, prepared: Any, folder: RunFolder, started: float, *, shown: bool = True) -> None:
    task, training = find(options.TASK), options.training
    if isinstance(task, Refits):
        with compute_settings(training.threads, training.precision):
            task.refit(options, prepared, folder, started, shown=shown)


def _as_it_was(
    run: Run, options: TrainOptions, products: Products, progress_of: Reporting, tested_on_other: bool
) -> Run:
    """A finished run, with its figures on the test data, where there is any; nothing is written."""
    if options.test is not None:
        known = None if tested_on_other else run.folder.test_figures(options.test, fingerprint(options.test))
        run.test = known or _evaluated(run, options, products, progress_of)
    return run


def _parts_that_differ(options: TrainOptions, folder: RunFolder, progress_of: Reporting) -> set[str]:
    """The parts of the data that are not those of a finished run; says so, as they change nothing of it."""
    try:
        config = configuration(options, prepared_data(options, begin(options, folder), progress_of))
    except DataError as error:
        others = {"train": f"the data named now cannot be read: {error}"}
    else:
        others = other_data(options, config, folder)
    if "train" in others and options.valid is None:
        others.pop("valid", None)  # it is a part of that
    for part, what in others.items():
        then = "its figures are of another run" if part == "test" else "nothing is learned of it"
        warnings.warn(f"--resume: {folder.path} is finished and stays as it is; {what}; {then}", stacklevel=2)
    return set(others)


def _evaluated(run: Run, options: TrainOptions, products: Products, progress_of: Reporting) -> dict[str, Any]:
    assert options.test is not None
    settings = compute_settings(options.training.threads, products.measured)
    with settings, run.computing(options.training.accelerator):
        return run.evaluate(options.test, progress=progress_of("testing"))


def _require_lasting(test: str | None) -> None:
    """Test data is read twice, before training for what the run records of it, and after it: refuse a pipe."""
    if test is not None and (test == "-" or Path(test).is_fifo()):
        name = "standard input" if test == "-" else f"{test}, a pipe"
        raise ConfigError(
            f"--test: expected data that can still be read after training, got {name}; save it to a file, or measure "
            "the run by `ostinato evaluate` afterwards"
        )


def train_prepared(options: TrainOptions, prepared: Any, *, shown: bool = True) -> Run:
    """Train on data that is in memory already.

    Args:
        options: of the command; `out` is a folder that holds no run yet.
        prepared: what the task's `prepare` would have made of files.
        shown: whether to show progress.
    """
    started, folder = time.monotonic(), RunFolder(options.out, PICTURES)
    if options.model.cell is not None:  # else the task chooses one
        lookup(options.model.cell)
    folder.claim(resume=False, overwrite=False)
    with folder.locked():
        products = products_of(options)
        options = computed_in(options, products)
        config = configuration(options, prepared) | {"precision": products.record(), "versions": versions()}
        place = folder.start(config, find(options.TASK).files(prepared))
        work = partial(_train, options=options, products=products, prepared=prepared, started=started, folder=place)
        Launcher(options.training.devices, kind=kind_of(options.training)).launch(partial(work, shown=shown))
        _refit(options, prepared, folder, started, shown=shown)
        return load(folder.path)


def _train(
    processes: Processes,
    options: TrainOptions,
    products: Products,
    prepared: Any,
    started: float,
    folder: RunFolder,
    shown: bool = True,
    vectors: Vectors | None = None,
) -> None:
    """What each process does: build the same model, take its own slice of the streams, train."""
    from ostinato.training.terminal import TerminalProgress

    training = options.training
    import_plugins(options.start.plugin)
    torch.manual_seed(training.seed)
    # its weights are drawn on the CPU: the same, whatever trains it
    device = processes.device(resolve(training.accelerator).type)
    model = build_model(processes.from_first(folder.read_config), folder).to(device)
    with freed_kept(), compute_settings(training.threads, training.precision, processes.beside, device):
        if processes.rank:
            torch.manual_seed(training.seed + 1_000_003 * processes.rank)  # other masks than the first process
        job = job_of(options, model, prepared, processes, vectors, afresh=not folder.resume_point.exists())
        job = measured_in(products, job)
        limit = None if training.time_limit is None else job.time_share * training.time_limit
        observers: list[Observer] = [MetricsFile(), TerminalProgress()] if shown else [MetricsFile()]
        if shown and not training.quiet_advice and processes.first:
            observers = [Adviser(observers, job, training, fresh=options.start.from_run is None)]
        trainer = Trainer(job, folder, training, Clock(limit, started), observers, processes, explain)
        if processes.first:  # now that the checkpoint has been read: what is damaged stays as it is
            folder.amend(configuration(options, prepared))
            folder.begin_again()
        trainer.fit()
