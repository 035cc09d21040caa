"""From a run to arrays: what each view needs of it, by what its task can show."""

from os import PathLike, fspath
from typing import Any, Protocol

import torch
from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.config.cells import COMPARED_CELLS
from ostinato.config.inspect import InspectOptions
from ostinato.core.errors import ConfigError
from ostinato.inspection.observed import Observed, ObservedText
from ostinato.inspection.training import training_curves
from ostinato.inspection.views.gates import GatesView, gates_view
from ostinato.inspection.views.gradients import Followed, GradientsView, clipping_of, flows, products_of
from ostinato.inspection.views.loss import LossView, loss_view
from ostinato.inspection.views.training import TrainingView
from ostinato.inspection.views.units import UnitsView, units_view
from ostinato.layers.recurrent import Recurrent
from ostinato.tasks import TRAIN_OPTIONS, find
from ostinato.tasks.contract import Task
from ostinato.tasks.trained import Trained
from ostinato.tasks.watching import Batched, Follows, Observes, Predicting

#: Steps to read where the options do not say: for gates, and of a text.
READ, READ_TEXT = 5_000, 20_000
#: Batches whose gradient is measured.
BATCHES = 24


class Run(Trained, Protocol):
    """What is looked into: `ostinato.Run` is one."""

    task: Task[Any, Any]


def gates(run: Run, options: InspectOptions) -> GatesView:
    """Every gate and state while the model reads."""
    read = _observed(run, options, options.read or READ)
    asked = None if options.unit is None else options.unit_parts()
    return gates_view(run.model, read, tokens=options.tokens, units=options.units, asked=asked)


def gradients(run: Run, options: InspectOptions, *beside: Run) -> GradientsView:
    """How far gradients reach back: of the run, of those beside it, and of untrained cells in its place."""
    runs = [run, *beside]
    read = _observed(run, options, options.steps)
    models = [(one, one.model, True) for one in runs]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        models += [(run, _fresh(run, cell), False) for cell in COMPARED_CELLS]
    followed = [
        Followed(str(one.folder.path), trained, flows(model, _followed(one, model, options)))
        for one, model, trained in models
    ]
    batches = run.task.batches(run, options.data, BATCHES) if isinstance(run.task, Batched) else None
    clipping = None if batches is None else clipping_of(run.model, batches)
    products = products_of(run.model, followed[0].flows[0])
    return GradientsView(read.what, read.pooled, followed, products, clipping)


def units(run: Run, options: InspectOptions) -> UnitsView:
    """Units that follow something in the text."""
    asked = None if options.unit is None else options.unit_parts()
    text = _text(run, "units", options)
    return units_view(run.model, text, top=options.top, gates=options.of == "gates", asked=asked)


def loss(run: Run, options: InspectOptions) -> LossView:
    """What was expected at each token."""
    return loss_view(run.model, _text(run, "loss", options), top=options.top)


def training(run: str | PathLike[str], options: InspectOptions) -> TrainingView:
    """The course of a training, and of those beside it."""
    folders = {fspath(path): RunFolder(fspath(path)) for path in (run, *options.beside)}
    tasks = {path: folder.read_config()["task"] for path, folder in folders.items()}
    return TrainingView(tasks, {path: training_curves(folder.metrics) for path, folder in folders.items()})


def _observed(run: Run, options: InspectOptions, steps: int) -> Observed:
    """What the run's model reads; refuses a task whose model cannot be watched by this command."""
    if not isinstance(run.task, Observes):
        raise ConfigError(
            f"{run.folder.path}: expected a run of a task that reads one sequence ({', '.join(_those(Observes))}), got "
            f"{run.config['task']!r}; inspect RUN training works for every task, ostinato.inspection for every model"
        )
    return run.task.observe(run, options.data, steps)


def _followed(run: Run, model: nn.Module, options: InspectOptions) -> Observed:
    """What a gradient is followed back through: several places of the data at once, where the task has them."""
    if isinstance(run.task, Follows):
        return run.task.follow(run, model, options.data, options.steps)
    return _observed(run, options, options.steps)


def _text(run: Run, view: str, options: InspectOptions) -> ObservedText:
    """What a language model reads; refuses a run of another task."""
    if not isinstance(run.task, Predicting):
        tasks = " or ".join(map(repr, _those(Predicting)))
        raise ConfigError(
            f"{run.folder.path}: {view} needs a language model, a run of task {tasks}, got {run.config['task']!r}; "
            "inspect RUN gates and inspect RUN training work for other tasks"
        )
    return run.task.read_text(run, options.data, options.read or READ_TEXT)


def _those(can: Any) -> list[str]:
    """Names of the tasks that can do something."""
    return [name for name in TRAIN_OPTIONS if isinstance(find(name), can)]


def _fresh(run: Run, cell: str) -> nn.Module:
    """The run's model with untrained layers of another cell between what it has in front of them and behind."""
    of_cell = {option.partition("=")[0] for option in run.config["options"]["cell_options"]}
    sizes = {name: value for name, value in run.config["model"].items() if name not in of_cell}
    if of_cell and sizes.get("tied"):
        sizes["tied"] = False  # the output may be wider than the embedding now
    fresh = run.task.build({**run.config, "model": sizes | {"cell": cell}})
    within = {f"{name}." for name, module in fresh.named_modules() if isinstance(module, Recurrent)}
    trained = run.model.state_dict()
    with torch.no_grad():
        for name, tensor in fresh.state_dict().items():
            same = name in trained and trained[name].shape == tensor.shape
            if same and not name.startswith(tuple(within)):
                tensor.copy_(trained[name])
    return fresh.eval()
