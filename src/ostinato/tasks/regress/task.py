"""regress: a text or a sequence of numbers in, one or several real numbers out."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from msgspec import UNSET
from torch import Tensor, nn

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.position import Count
from ostinato.checkpoint.recorded import Positive
from ostinato.core.batch import Batch
from ostinato.core.figures import shortest
from ostinato.core.results import builtins
from ostinato.data.labelled.examples import Example, Raw, with_targets
from ostinato.data.labelled.reading import LabelledColumns, read_all_labelled, read_labelled
from ostinato.data.labelled.sequences import Scale
from ostinato.data.text.tokenizer import TextCodec
from ostinato.inspection.observed import Observed, Typed
from ostinato.models.many_to_one import ManyToOne
from ostinato.tasks.card import CardFacts
from ostinato.tasks.contract import Progress, Task
from ostinato.tasks.regress import in_c, portable
from ostinato.tasks.regress.data import (
    Part,
    PreparedTargets,
    RegressCodec,
    prepare_in_shards,
    prepare_targets,
    record_of,
    targets_of,
)
from ostinato.tasks.regress.figures import always_the_mean, errors, regression_figures, scaled_rmse, tell_no_better
from ostinato.tasks.regress.options import EvaluateRegress, PredictRegress, TrainRegress
from ostinato.tasks.regress.results import Answer, Figures, Summary, TargetFigures, Values
from ostinato.tasks.sequence_corpora import labelled_corpus
from ostinato.tasks.sequence_data import (
    Inputs,
    codec_of,
    description,
    encoded,
    job_of,
    outputs_of,
    recorded,
    sizes,
)
from ostinato.tasks.sequence_task import SequenceTask, card_of, training_of
from ostinato.tasks.sequence_watching import observed, typed
from ostinato.tasks.sharded import shown
from ostinato.tasks.stepwise import StepsOfSequences
from ostinato.tasks.trained import Trained, each_of, require_alike
from ostinato.training import ALONE, Job, Processes

#: Of standardised targets `[N, K]`: means over examples and targets. Huber's turns at one standard deviation.
LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": nn.functional.mse_loss,
    "huber": nn.functional.huber_loss,
}


class Regression(SequenceTask):
    """Many to one, of real numbers."""

    RECORDED: Mapping[str, Any] = {
        "targets": list[str],
        "target_scale.mean": list[float],
        "target_scale.deviation": list[float],
        "columns": dict[str, Any],
        "max_length": Positive | None,
        "data.train.examples": Count,
        "data.valid.examples": Count,
        "data.held_out": bool,
    }

    def prepare(
        self, options: TrainRegress, progress: Progress | None = None, codec: RegressCodec | TextCodec | None = None
    ) -> PreparedTargets:
        """Read, split, standardise the targets, learn tokenizer or scale, encode."""
        at = options.columns
        columns = LabelledColumns(options.target, at.text, at.id, at.time, at.value_columns)

        def read(path: str | None) -> Raw | None:
            return None if path is None else with_targets(read_labelled(path, columns, numbers=True))

        if (corpus := labelled_corpus(options, columns, numbers=True, progress=progress)) is not None:
            prepared = prepare_in_shards(options, columns, corpus, read(options.valid), progress, codec)
        else:
            whole = with_targets(read_all_labelled(options.data, columns, numbers=True))
            prepared = prepare_targets(options, columns, whole, read(options.valid), progress=progress, codec=codec)
        if (test := read(options.test)) is not None:
            prepared.data["test"] = record_of(test)
        return prepared

    def configuration(self, options: TrainRegress, prepared: PreparedTargets) -> dict[str, Any]:
        """Sizes, targets and their scale, columns, records of the data."""
        codec = prepared.codec
        lengths = [len(steps) for steps in shown(prepared.train).inputs]
        return {
            "model": {"outputs": len(codec.targets), **sizes(options, codec.reads, lengths)},
            "targets": list(codec.targets),
            "target_scale": dataclasses.asdict(codec.scale),
            **recorded(codec.reads),
            "data": prepared.data,
        }

    def build(self, config: Mapping[str, Any]) -> ManyToOne:
        """A model from a run's configuration."""
        return ManyToOne(**config["model"])

    def job(
        self, options: TrainRegress, model: nn.Module, prepared: PreparedTargets, processes: Processes = ALONE
    ) -> Job:
        """What the loop needs, for one process of several."""
        codec, train, valid = prepared.codec, shown(prepared.train), prepared.valid
        error = LOSSES[options.regress.loss]

        def loss(output: Any, batch: Batch) -> Tensor:
            return error(output.outputs, batch.targets)

        def validate(trained: nn.Module) -> dict[str, float]:
            found = outputs_of(trained, valid.inputs)
            wanted = torch.as_tensor(codec.scale.apply(valid.targets))
            return {"loss": float(error(torch.as_tensor(found), wanted)), **_figures(codec, valid, found)}

        return job_of(
            options,
            model,
            prepared,
            codec.scale.apply(train.targets),
            loss=loss,
            validate=validate,
            best="scaled_rmse",
            higher=False,
            processes=processes,
            guess=partial(always_the_mean, valid.targets, codec.scale),
        )

    def describe(self, model: nn.Module, prepared: PreparedTargets) -> str:
        """Examples, targets, parameters."""
        count = len(prepared.codec.targets)
        return description(model, prepared, f"{count} target{'s'[: count > 1]}", "held out")

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> RegressCodec:
        """Targets, their scale, columns, and tokenizer or scale."""
        scale = Scale(tuple(config["target_scale"]["mean"]), tuple(config["target_scale"]["deviation"]))
        if not len(config["targets"]) == len(scale.mean) == len(scale.deviation) == config["model"]["outputs"]:
            raise TypeError("its targets, their scale and its outputs are not of one number")
        return RegressCodec(codec_of(folder, config), tuple(config["targets"]), scale)

    def evaluate(
        self, run: Trained, sources: Iterable[str], options: EvaluateRegress, progress: Progress | None = None
    ) -> Figures:
        """The figures of `regression_figures`, and the share of unknown tokens."""
        codec: RegressCodec = run.codec
        raw = self.labelled(run, list(sources))
        inputs, unknown = encoded(codec.reads, raw)
        found = _values(run, raw, progress, inputs)
        figures = regression_figures(targets_of(raw), found, codec.scale, codec.targets)
        tell_no_better(figures)
        if "targets" in figures:
            figures["targets"] = {name: TargetFigures(**own) for name, own in figures["targets"].items()}
        return Figures(**figures | unknown)

    def labelled(self, run: Trained, sources: Sequence[str]) -> Raw:
        """Those whose targets are known."""
        return with_targets(read_all_labelled(sources, run.codec.reads.columns, numbers=True))

    def answer(
        self, run: Trained, examples: Iterable[Example], options: PredictRegress, progress: Progress | None = None
    ) -> Iterator[dict[str, Any]]:
        """The number of each target by its name; where sequences have ids, with the id."""
        if not (examples := list(examples)):
            return
        codec: RegressCodec = run.codec
        found = _values(run, Raw.of(examples), progress)
        for example, answer in zip(examples, _said(codec, found), strict=True):
            yield builtins(Answer(id=UNSET if example.key is None else example.key), answer)

    def steps(self, run: Trained) -> StepsOfSequences:
        """After each step the numbers of all so far."""
        return StepsOfSequences(run, lambda outputs: _said(run.codec, run.codec.scale.undo(outputs.numpy())))

    def together(self, runs: Sequence[Trained]) -> nn.Module:
        """Each reads by itself; their targets must be the same."""
        require_alike("targets", [sorted(run.codec.targets) for run in runs])
        return nn.ModuleList([run.model for run in runs])

    metadata, graphs = staticmethod(portable.metadata), staticmethod(portable.graphs)
    described = staticmethod(portable.described)
    program, sample = staticmethod(in_c.program), staticmethod(in_c.sample)

    def observe(self, run: Trained, source: str | None, steps: int) -> Observed:
        """The first example; the scalar is the sum of the standardised values that the model gives it."""
        return observed(run, source, _summed, "the value it gives, standardised", steps)

    def typed(self, run: Trained, text: str) -> Typed:
        """A text, or lines of numbers, with the same scalar."""
        return typed(run, text, _summed, "the value it gives, standardised")

    def summary(self, run: Trained) -> Summary:
        """Examples trained on, and the validation with the lowest error."""
        return training_of(Summary, run, targets=len(run.codec.targets))

    def card(self, run: Trained) -> CardFacts:
        """What was trained, on what, how well, and how to use it."""
        targets = zip(run.codec.targets, run.codec.scale.mean, run.codec.scale.deviation, strict=True)
        about = [f"{name}: {mean:.4g} on average, standard deviation {each:.4g}" for name, mean, each in targets]
        best = _figures_line(run.folder.resume_point.position().best_figures)
        tested = None
        if run.test is not None:
            mean = f"MAE {run.test['mean_mae']:.4g}, RMSE {run.test['mean_rmse']:.4g}"
            tested = f"{_figures_line(run.test)}; of the training data's mean: {mean}"
        return card_of(run, "Regression", about, "held out", best, tested)


TASK: Task[TrainRegress, PreparedTargets] = Regression()


def _figures(codec: RegressCodec, part: Part, found: npt.NDArray[np.float32]) -> dict[str, float]:
    """What validation reports, of standardised answers."""
    values = codec.scale.undo(found)
    own = {name: float(each.mean()) for name, each in errors(part.targets, values).items()}
    return {"scaled_rmse": scaled_rmse(part.targets, values, codec.scale), **own}


def _said(codec: RegressCodec, values: npt.NDArray[Any]) -> Iterator[Values]:
    """What is said of targets `[N, K]` in their own units."""
    for row in values.astype(np.float32):
        yield dict(zip(codec.targets, shortest(row), strict=True))


def _figures_line(figures: Mapping[str, float]) -> str:
    """Figures as the card has them."""
    return f"MAE {figures['mae']:.4g}, RMSE {figures['rmse']:.4g}, R2 {figures['r2']:.4f}"


def _values(run: Trained, raw: Raw, progress: Progress | None = None, inputs: Inputs | None = None) -> npt.NDArray[Any]:
    """`[N, K]` of each target in its own units, in the order of the run's; of an ensemble the mean. `inputs` are the
    examples as the run's own codec has them, where it has read them already."""
    found = []
    for member in each_of(run):
        codec: RegressCodec = member.codec
        own = codec.reads.encode(raw) if inputs is None or run.members else inputs
        values = codec.scale.undo(outputs_of(member.model, own, progress))
        found.append(values[:, [codec.targets.index(target) for target in run.codec.targets]])
    return np.mean(found, axis=0) if run.members else found[0]


def _summed(output: Any) -> Tensor:
    return output.outputs.sum()
