"""classify: a text or a sequence of numbers in, its label out."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.position import Count
from ostinato.checkpoint.recorded import Positive
from ostinato.core.batch import Batch
from ostinato.core.figures import shortest
from ostinato.core.results import builtins
from ostinato.data.labelled.examples import Example, Raw, count_labels, with_labels
from ostinato.data.labelled.labels import tell_doubtful, unknown_labels
from ostinato.data.labelled.reading import LabelledColumns, read_all_labelled, read_labelled
from ostinato.data.text.tokenizer import TextCodec
from ostinato.evaluation.collapse import tell_collapsed
from ostinato.evaluation.multi_label import multi_label_figures
from ostinato.inspection.observed import Observed, Typed
from ostinato.models.ensemble import mean_of_classes, mean_of_labels
from ostinato.models.many_to_one import ManyToOne
from ostinato.plots.style import available
from ostinato.tasks.card import CardFacts
from ostinato.tasks.classify import in_c, portable
from ostinato.tasks.classify.adopting import USED, adopt
from ostinato.tasks.classify.codec import ClassifyCodec
from ostinato.tasks.classify.data import Part, PreparedExamples, prepare_in_shards, prepare_labelled, record_of
from ostinato.tasks.classify.figures import classification_figures, commonest_label, confusion
from ostinato.tasks.classify.loss import balanced_weights, label_loss, labels_loss, rarity
from ostinato.tasks.classify.options import EvaluateClassify, PredictClassify, TrainClassify
from ostinato.tasks.classify.results import Answer, Figures, Summary
from ostinato.tasks.contract import Progress, Task
from ostinato.tasks.sequence_corpora import labelled_corpus
from ostinato.tasks.sequence_data import (
    CONVOLUTIONS,
    Inputs,
    codec_of,
    description,
    encoded,
    job_of,
    outputs_of,
    recorded,
    sizes,
    warping,
)
from ostinato.tasks.sequence_task import SequenceTask, card_of, training_of
from ostinato.tasks.sequence_watching import observed, typed
from ostinato.tasks.sharded import shown
from ostinato.tasks.stepwise import StepsOfSequences
from ostinato.tasks.trained import Trained, require_alike
from ostinato.training import ALONE, Job, Processes


class Classification(SequenceTask):
    """Many to one."""

    RECORDED: Mapping[str, Any] = {
        "classes": list[str],
        "columns": dict[str, Any],
        "max_length": Positive | None,
        "data.train.examples": Count,
        "data.valid.examples": Count,
        "data.held_out": bool,
    }

    def prepare(
        self, options: TrainClassify, progress: Progress | None = None, codec: ClassifyCodec | TextCodec | None = None
    ) -> PreparedExamples:
        """Read, split, learn labels and tokenizer or scale, encode."""
        several = options.classify.multi_label
        at = options.columns
        columns = LabelledColumns(options.label, at.text, at.id, at.time, at.value_columns, several)
        fresh = not isinstance(codec, ClassifyCodec)
        if (corpus := labelled_corpus(options, columns, numbers=False, progress=progress)) is not None:
            if fresh:
                tell_doubtful(", ".join(corpus.corpus.names), "label", corpus.counts)
            prepared = prepare_in_shards(options, columns, corpus, _valid(options, columns), progress, codec)
        else:
            whole = with_labels(read_all_labelled(options.data, columns))
            if fresh:
                tell_doubtful(whole.name, "label", count_labels(whole)[0])
            valid = _valid(options, columns)
            prepared = prepare_labelled(options, columns, whole, valid, progress=progress, codec=codec)
        if options.test is not None:
            test = with_labels(read_labelled(options.test, columns))
            unknown_labels("label", *count_labels(test), prepared.codec.classes)
            prepared.data["test"] = record_of(test)
        return prepared

    def configuration(self, options: TrainClassify, prepared: PreparedExamples) -> dict[str, Any]:
        """Sizes, labels, scale, columns, records of the data."""
        codec = prepared.codec
        warp = warping(len(prepared.train), lengths := shown(prepared.train).lengths)
        wanted = sizes(options, codec.reads, lengths, convolutions=CONVOLUTIONS, warp=warp)
        found = {
            "model": {"classes": len(codec.classes), **wanted},
            "classes": list(codec.classes),
        }
        return found | recorded(codec.reads) | {"data": prepared.data}

    def build(self, config: Mapping[str, Any]) -> ManyToOne:
        """A model from a run's configuration."""
        arguments = dict(config["model"])
        return ManyToOne(arguments.pop("classes"), **arguments)

    def job(
        self, options: TrainClassify, model: nn.Module, prepared: PreparedExamples, processes: Processes = ALONE
    ) -> Job:
        """What the loop needs, for one process of several."""
        train, valid = shown(prepared.train), prepared.valid
        several, balanced = train.labels.ndim == 2, options.classify.class_weights == "balanced"
        return job_of(
            options,
            model,
            prepared,
            train.labels,
            loss=_loss(options, train),
            validate=lambda trained: _figures(trained, valid),
            best="micro_f1" if several else "accuracy",
            higher=True,
            processes=processes,
            guess=None if several or balanced else partial(commonest_label, train.labels, valid.labels, valid.names),
        )

    def describe(self, model: nn.Module, prepared: PreparedExamples) -> str:
        """Examples, classes, parameters."""
        codec = prepared.codec
        held = "held out" if codec.columns.several is not None else "held out of every class alike"
        return description(model, prepared, f"{len(codec.classes)} classes", held)

    def finish(self, run: Trained, prepared: PreparedExamples) -> None:
        """Draw the confusion matrix, of the test data where there is any, else of the validation data."""
        if not available() or prepared.valid.labels.ndim == 2:
            return
        from ostinato.tasks.classify.drawing import MOST_CLASSES, confusion_matrix

        counts, names, which = run.details.get("confusion"), run.details.get("labels"), "test data"
        if counts is None:
            valid = prepared.valid
            counts, names = _confusion(outputs_of(run.model, valid.inputs), valid), valid.names
            which = "validation data" if prepared.data["validated"] else "training data"
        if counts is not None and len(counts) > MOST_CLASSES:
            warnings.warn(f"no confusion matrix is drawn of more than {MOST_CLASSES} classes", stacklevel=2)
            return
        title = f"{which}: {classification_figures(counts)['accuracy']:.1%} right"
        confusion_matrix(counts, names or (), run.folder.path / "confusion.png", title=title)

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> ClassifyCodec:
        """Labels, columns, and tokenizer or scale."""
        return ClassifyCodec(tuple(config["classes"]), codec_of(folder, config))

    def evaluate(
        self, run: Trained, sources: Iterable[str], options: EvaluateClassify, progress: Progress | None = None
    ) -> Figures:
        """The figures of `classification_figures`, the share of unknown tokens, and how many examples have unknown
        labels; the confusion matrix and the names of its rows go to the run's details."""
        codec: ClassifyCodec = run.codec
        raw = self.labelled(run, list(sources))
        inputs, unknown = encoded(codec.reads, raw)
        part = Part(inputs, *codec.numbers(raw))
        if codec.columns.several is not None:
            never_seen = int(part.labels[:, len(codec.classes) :].any(1).sum())
            found = multi_label_figures(part.labels > 0, _marks(_scores(run, raw, progress, inputs), part))
            return Figures(**found | unknown, unknown_labels=never_seen)
        counts = _confusion(_scores(run, raw, progress, inputs), part)
        run.details |= {"confusion": counts, "labels": part.names}
        tell_collapsed("label", np.repeat(part.names, counts.sum(0)).tolist(), raw.labels, kinds=True)
        never_seen = int((part.labels >= len(codec.classes)).sum())
        return Figures(**classification_figures(counts) | unknown, unknown_labels=never_seen)

    def labelled(self, run: Trained, sources: Sequence[str]) -> Raw:
        """Those that have a label."""
        return with_labels(read_all_labelled(sources, run.codec.columns))

    def answer(
        self, run: Trained, examples: Iterable[Example], options: PredictClassify, progress: Progress | None = None
    ) -> Iterator[dict[str, Any]]:
        """The label of each example, with the probability of every class; where sequences have ids, with the id. Where
        there may be several labels, `labels` lists those of more than one half, and `label` has them as a file does."""
        if not (examples := list(examples)):
            return
        scores = torch.as_tensor(_scores(run, Raw.of(examples), progress))
        for example, answer in zip(examples, _answers(run.codec, scores), strict=True):
            if example.key is not None:
                answer.id = example.key
            yield builtins(answer)

    def steps(self, run: Trained) -> StepsOfSequences:
        """After each step the label of all so far."""
        return StepsOfSequences(run, lambda scores: map(builtins, _answers(run.codec, scores)))

    def together(self, runs: Sequence[Trained]) -> nn.Module:
        """Each reads by itself; their labels must be the same."""
        require_alike("labels", [sorted(run.codec.classes) for run in runs])
        require_alike("--multi-label", [run.codec.columns.several for run in runs])
        return nn.ModuleList([run.model for run in runs])

    adopt, ADOPTING = staticmethod(adopt), USED
    metadata, graphs = staticmethod(portable.metadata), staticmethod(portable.graphs)
    described = staticmethod(portable.described)
    program, sample = staticmethod(in_c.program), staticmethod(in_c.sample)

    def observe(self, run: Trained, source: str | None, steps: int) -> Observed:
        """The first example; the scalar is the loss of the label that the model gives it."""
        return observed(run, source, *_scalar(run), steps)

    def typed(self, run: Trained, text: str) -> Typed:
        """A text, or lines of numbers, with the same scalar."""
        return typed(run, text, *_scalar(run))

    def labels(self, run: Trained, answers: Iterable[Any]) -> Iterator[str]:
        """One a line; a line's end within a label becomes a blank."""
        return (" ".join(answer["label"].splitlines()) for answer in answers)

    def summary(self, run: Trained) -> Summary:
        """Examples trained on, and the validation with the highest accuracy."""
        return training_of(Summary, run, classes=len(run.codec.classes))

    def card(self, run: Trained) -> CardFacts:
        """What was trained, on what, how well, and how to use it."""
        classes = run.codec.classes
        about = [f"classes: {', '.join(classes[:20])}{', ...' if len(classes) > 20 else ''}"]
        best = _figures_line(run.folder.resume_point.position().best_figures)
        tested = None if run.test is None else _figures_line(run.test)
        return card_of(run, "Classifier", about, "held out of every class alike", best, tested)


TASK: Task[TrainClassify, PreparedExamples] = Classification()


def _figures_line(figures: Mapping[str, float]) -> str:
    """Figures as the card has them."""
    return f"accuracy {figures['accuracy']:.4f}, macro F1 {figures['macro_f1']:.4f}"


def _answers(codec: ClassifyCodec, scores: Tensor) -> Iterator[Answer]:
    """What is said by scores `[N, C]`."""
    several = codec.columns.several
    for probabilities in (scores.softmax(-1) if several is None else scores.sigmoid()).numpy():
        by_class = dict(zip(codec.classes, shortest(probabilities), strict=True))
        answer = Answer(label=max(by_class, key=by_class.__getitem__), probabilities=by_class)
        if several is not None:
            answer.labels = [label for label, probability in by_class.items() if probability > 0.5]
            answer.label = several.join(answer.labels)
        yield answer


def _valid(options: TrainClassify, columns: LabelledColumns) -> Raw | None:
    return None if options.valid is None else with_labels(read_labelled(options.valid, columns))


def _loss(options: TrainClassify, train: Part) -> Callable[[Any, Batch], Tensor]:
    """Softmax over the classes, or each of several labels by itself."""
    own, balanced = options.classify, options.classify.class_weights == "balanced"
    counts, examples = train.by_class
    by_class = torch.as_tensor(counts)
    if train.labels.ndim == 1:
        return label_loss(balanced_weights(by_class) if balanced else None, own.label_smoothing)
    return labels_loss(rarity(by_class, examples) if balanced else None, own.label_smoothing)


def _marks(scores: npt.NDArray[np.float32], part: Part) -> npt.NDArray[np.bool_]:
    """Which labels are said; none of those that the model does not know."""
    return np.pad(scores > 0, ((0, 0), (0, len(part.names) - scores.shape[1])))


def _scalar(run: Trained) -> tuple[Callable[[Any], Tensor], str]:
    several = run.codec.columns.several is not None
    return _own_losses if several else _own_loss, "the loss of the label it gives"


def _own_losses(output: Any) -> Tensor:
    said = (output.logits > 0).to(output.logits.dtype)
    return nn.functional.binary_cross_entropy_with_logits(output.logits, said, reduction="sum")


def _own_loss(output: Any) -> Tensor:
    return nn.functional.cross_entropy(output.logits, output.logits.argmax(-1), reduction="sum")


def _scores(
    run: Trained, raw: Raw, progress: Progress | None = None, inputs: Inputs | None = None
) -> npt.NDArray[np.float32]:
    """`[N, C]` of each class, in the order of the run's; of an ensemble, those of its mean probabilities. `inputs` are
    the examples as the run's own codec has them, where it has read them already."""
    if not run.members:
        return outputs_of(run.model, run.codec.reads.encode(raw) if inputs is None else inputs, progress)
    found = []
    for member in run.members:
        place = {label: number for number, label in enumerate(member.codec.classes)}
        scores = outputs_of(member.model, member.codec.reads.encode(raw), progress)
        found.append(torch.as_tensor(scores[:, [place[label] for label in run.codec.classes]]))
    mean = mean_of_classes if run.codec.columns.several is None else mean_of_labels
    return mean(found).numpy()


def _confusion(scores: npt.NDArray[np.float32], part: Part) -> npt.NDArray[np.int64]:
    return confusion(part.labels, scores.argmax(-1), len(part.names))


def _figures(model: nn.Module, part: Part) -> dict[str, float]:
    """What validation reports: loss, of examples whose label the model knows; accuracy, macro_f1."""
    scores = torch.as_tensor(outputs_of(model, part.inputs))
    labels = torch.as_tensor(part.labels)
    if labels.ndim == 2:
        known = labels[:, : scores.shape[1]].to(scores.dtype)
        figures = multi_label_figures(part.labels > 0, _marks(scores.numpy(), part))
        loss = nn.functional.binary_cross_entropy_with_logits(scores, known)
        return {"loss": float(loss), **{name: figures[name] for name in ("accuracy", "macro_f1", "micro_f1")}}
    loss = nn.functional.cross_entropy(scores, labels.where(labels < scores.shape[1], -1), ignore_index=-1)
    figures = classification_figures(confusion(part.labels, scores.argmax(-1).numpy(), len(part.names)))
    return {"loss": float(loss), "accuracy": figures["accuracy"], "macro_f1": figures["macro_f1"]}
