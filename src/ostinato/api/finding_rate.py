"""`find_lr`: which learning rate a training should have, by a short test on its own data."""

import shlex
import time
from collections.abc import Mapping
from functools import partial
from os import PathLike, fspath
from typing import Any

import torch

from ostinato.api.asking import asked_for
from ostinato.api.beginning import begin, taken_over
from ostinato.api.compute import compute_settings
from ostinato.api.embedding import as_wide_as_vectors, vectors_for
from ostinato.api.jobs import Reporting, configuration, job_of, prepared_data, silent
from ostinato.api.loading import build_model
from ostinato.api.plugins import import_plugins
from ostinato.api.precision import products_of
from ostinato.api.results import FoundRate, TriedRate, Verdict
from ostinato.checkpoint import RunFolder
from ostinato.config.merge import defaults_below, flatten, unchecked
from ostinato.core import cluster
from ostinato.core.accelerator import resolve
from ostinato.core.errors import ConfigError, DataError
from ostinato.core.registry import lookup
from ostinato.data.sources.encodings import read_as
from ostinato.data.tables.layout import Layout, laid_out, layout_of
from ostinato.plots.rates import draw_rates
from ostinato.plots.style import available, require_matplotlib
from ostinato.tasks import TABLES, find
from ostinato.tasks.described import options_of
from ostinato.tasks.options import TrainOptions
from ostinato.tasks.pretraining import Pretrains
from ostinato.training import Clock, Job
from ostinato.training.range_test import range_test
from ostinato.training.rates import Rates

#: Options of one command, which the command that trains does not take over.
_PASSING = frozenset({"find_lr", "picture", "out", "lr", "json", "overwrite"})

#: How many times the rate in use may differ from the one suggested before it is called too high or too low.
FINE = 5.0


def find_lr(task: str, *sources: Any, picture: str | PathLike[str] | None = None, **options: Any) -> FoundRate:
    """Try learning rates on your data, from far too low to far too high; what `ostinato train ... --find-lr` does.

    The learning-rate range test (Smith 2017, arXiv:1506.01186): a hundred steps of the training that the options
    describe, each at a higher rate than the one before. Nothing is trained that is kept, and no run folder written.

    Args:
        task: as for `train`.
        *sources: as for `train`.
        picture: where to draw the losses over the rates, PNG or SVG; None draws nothing.
        **options: as for `train`; `out` may be left out.

    Returns:
        The rates with their losses, the one that they speak for (`lr`), and what that says of the one in `used`, which
        the options have.

    Raises:
        ConfigError: an option that cannot be used.
        DataError: data that cannot be used.
        RunFolderError: a run to begin with that is missing or damaged.
    """
    started = time.monotonic()
    out = fspath(options.pop("out", f"runs/{task}"))
    drawn = None if picture is None else fspath(picture)
    asked, data = asked_for(task, sources, out, options | {"find_lr": True, "picture": drawn})
    with data.within():
        found = find_rate(asked, started)
    if data.held:  # which no command line can name
        found.command = None
    return found


def find_rate(
    options: TrainOptions, started: float, progress_of: Reporting = silent, picture: str | None = None
) -> FoundRate:
    """Try learning rates for the training that the options describe.

    Args:
        options: of `ostinato train TASK`.
        started: `time.monotonic()` when the command began, which `time_limit` counts from.
        progress_of: says how far long pieces of work are.
        picture: where to draw what was found, where the options do not say and there is matplotlib.
    """
    drawn = options.start.picture or (picture if available() else None)
    if drawn is not None:
        require_matplotlib()
    import_plugins(options.start.plugin)
    training, device = options.training, resolve(options.training.accelerator)
    precision = products_of(options).used
    kept = torch.random.fork_rng([device] if device.type == "cuda" else [])
    with kept, compute_settings(training.threads, precision, device=device):
        job = _job(options, device, progress_of)
        clock = Clock(training.time_limit, started)
        rates = range_test(job, training, clock=clock, progress=progress_of("trying learning rates"))
    used = job.lr if training.lr is None else training.lr
    found = _found(options, rates, used)
    if drawn is not None:
        try:
            _draw(found, drawn)
        except OSError as error:
            raise DataError(f"--picture {drawn}: cannot be written: {error.strerror}; choose another place") from None
        found.picture = drawn
    found.seconds = round(time.monotonic() - started, 2)
    return found


def _draw(found: FoundRate, out: str) -> None:
    points = [
        (one.lr, one.loss, one.smoothed) for one in found.tried if one.loss is not None and one.smoothed is not None
    ]
    if points:
        title = f"Learning-rate range test: {found.task}"
        draw_rates(points, out, used=found.used, suggested=found.lr, optimizer=found.optimizer, title=title)


def _job(options: TrainOptions, device: torch.device, progress_of: Reporting) -> Job:
    """What would be trained, from its start.

    Raises:
        ConfigError: a training that is not one of this process alone, from its own start.
    """
    if cluster.place().size > 1:
        raise ConfigError("--find-lr: is for one process; start it without torchrun, with the same --batch")
    if options.model.cell is not None:  # else the task chooses one
        lookup(options.model.cell)
    options = as_wide_as_vectors(_begun(options))
    layout = layout_of(flatten(options)) if options.TASK in TABLES else Layout()
    with read_as(options.reading.encoding), laid_out(layout):
        begun = begin(options)
        prepared = prepared_data(options, begun, progress_of)
        vectors = vectors_for(options, prepared.codec, progress_of("reading vectors"))
        config = configuration(options, prepared, begun)
        torch.manual_seed(options.training.seed)
        model = build_model(config, RunFolder(options.out)).to(device)
        return job_of(options, model, prepared, vectors=vectors, afresh=True)


def _begun(options: TrainOptions) -> TrainOptions:
    """The options; of a training that begins with one of other data, those of what comes after.

    Raises:
        ConfigError: that other one has not been trained.
    """
    task = find(options.TASK)
    found = task.pretraining(options) if isinstance(task, Pretrains) else None
    if found is None:
        return options
    before, then = found
    if not RunFolder(before.out).is_run():
        raise ConfigError(
            f"--find-lr: with --unlabelled the training begins with a language model, and {before.out} holds none yet; "
            "train one by `ostinato train lm`, and give it as --from in place of --unlabelled"
        )
    return then


def _found(options: TrainOptions, rates: Rates, used: float) -> FoundRate:
    lr = None if rates.suggested is None else float(f"{rates.suggested:.2g}")
    return FoundRate(
        task=options.TASK,
        optimizer=options.training.optimizer,
        lr=lr,
        used=used,
        verdict=_verdict(lr, used),
        tried=[
            TriedRate(lr=one.lr, loss=one.loss if mean is not None else None, smoothed=mean)
            for one, mean in rates.with_means()
        ],
        exploded=rates.exploded,
        command=_command(options, used if lr is None else lr),
        seconds=0.0,
    )


def _verdict(lr: float | None, used: float) -> Verdict:
    if lr is None:
        return "unclear"
    return "too high" if used > FINE * lr else "too low" if used < lr / FINE else "fine"


def _command(options: TrainOptions, lr: float) -> str:
    """Trains with that rate: what differs from the defaults, in words."""
    kind, now = type(options), flatten(options)
    below = defaults_below(
        now.get("preset"),
        {},
        now.get("config"),
        kind.PRESETS,
        timed=now["time_limit"] is not None,
        begun=partial(taken_over, kind),
        from_run=now["from_run"],
    )
    usual = {**flatten(unchecked(kind, below, "find-lr")), "preset": None, "config": None, "from_run": None}
    given = {name: value for name, value in now.items() if name not in _PASSING and value != usual.get(name)}
    words = ["ostinato", "train", options.TASK, *_words(kind, given), "--lr", f"{lr:g}", "--out", options.out]
    return shlex.join(words)


def _words(kind: type[TrainOptions], given: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for option in options_of(kind):
        name = {"from": "from_run"}.get(option.name, option.name.replace("-", "_"))
        value = given.get(name)
        if value is None:
            continue
        if isinstance(value, bool):
            found.append(f"--{option.name}" if value else f"--no-{option.name}")
            continue
        several = value if isinstance(value, tuple | list) else [value]
        own = [f"{one:g}" if isinstance(one, float) else str(one) for one in several]
        if option.positional:
            found = own + found
        elif len(own) == 1 and own[0].startswith("-"):
            found.append(f"--{option.name}={own[0]}")
        else:
            found += [f"--{option.name}", *own]
    return found
