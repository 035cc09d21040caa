"""classify: a text or a sequence of numbers in, its label out."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ostinato.api.card import card
from ostinato.api.tasks.contract import Observed, Progress, Task, no_beam, one_source, record, required
from ostinato.checkpoint import RunFolder
from ostinato.config.evaluation import ReadingOptions
from ostinato.config.tasks.classify import TrainClassify
from ostinato.config.training import DEFAULT_EPOCHS
from ostinato.core.errors import DataError, RunFolderError
from ostinato.core.figures import shortest
from ostinato.data.bucketing import Buckets, in_length_order
from ostinato.data.labelled import MAX_LENGTH, Codec, Columns, Raw, batch_of, chosen, read_labelled, with_labels
from ostinato.data.sequences import Scale
from ostinato.data.splits import HELD_OUT, held_out
from ostinato.data.texts import learn_from_texts
from ostinato.data.tokenizer import Tokenizer
from ostinato.data.word_vectors import word_vectors
from ostinato.evaluation.classification import classification_figures, confusion
from ostinato.losses.classification import balanced_weights, label_loss
from ostinato.models.classifier import Classifier
from ostinato.plots.style import available
from ostinato.training import Job

if TYPE_CHECKING:
    from ostinato.api.run import Run

#: Optimiser steps that a training has at least, where no option says how long.
LEAST_STEPS = 1_000

#: Examples in a batch at most, where no option says how many.
BATCH = 32

#: Examples that training sees where --epochs does not say, in 2 to 20 passes: many are soon learned by heart.
SEEN_EXAMPLES = 50_000

#: Validation examples from which on they say which weights are best; where there are fewer, the last ones are kept.
TELLING = 30

#: Words known where --vocab-size does not say.
VOCABULARY = 20_000

#: Tokens from which on the texts themselves say what words are like.
TELLING_TOKENS = 100_000

#: Steps times sequences evaluated at once, at most.
AT_ONCE = 64_000


@dataclasses.dataclass(frozen=True)
class Part:
    """Encoded examples.

    Attributes:
        inputs: N arrays, ids `[T]` or features `[T, D]`.
        labels: `[N]` numbers of their classes.
    """

    inputs: list[npt.NDArray[Any]]
    labels: npt.NDArray[np.int64]

    @property
    def lengths(self) -> list[int]:
        """Steps of each."""
        return [len(steps) for steps in self.inputs]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Data made ready.

    Attributes:
        codec: labels, and tokenizer or scale.
        train: to train on.
        valid: to validate on.
        data: what the run folder records of the data.
        vectors: `[V, E]` what the embedding starts from; None for random numbers.
    """

    codec: Codec
    train: Part
    valid: Part
    data: dict[str, Any]
    vectors: npt.NDArray[np.float32] | None = None

    def __getstate__(self) -> dict[str, Any]:
        tokenizer = self.codec.tokenizer
        state = dict(self.__dict__, codec=dataclasses.replace(self.codec, tokenizer=None))
        return state | {"tokenizer": None if tokenizer is None else tokenizer.to_json()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        tokenizer = state.pop("tokenizer")
        if tokenizer is not None:
            state["codec"] = dataclasses.replace(state["codec"], tokenizer=Tokenizer.from_json(tokenizer))
        self.__dict__.update(state)


class Classification:
    """Many to one."""

    READING = frozenset({"text", "label", "id", "time", "values"})

    def prepare(self, options: TrainClassify, progress: Progress | None = None) -> Prepared:
        """Read, split, learn labels and tokenizer or scale, encode."""
        columns = Columns(options.label, options.text, options.id, options.time, options.value_columns)
        whole = with_labels(read_labelled(one_source(options.data), columns))
        valid = None if options.valid is None else with_labels(read_labelled(options.valid, columns))
        prepared = prepare_labelled(options, columns, whole, valid, progress=progress)
        if options.test is not None:
            test = with_labels(read_labelled(options.test, columns))
            prepared.codec.numbers(test)
            prepared.data["test"] = _record(test)
        return prepared

    def configuration(self, options: TrainClassify, prepared: Prepared) -> dict[str, Any]:
        """Sizes, labels, scale, columns, records of the data."""
        codec = prepared.codec
        found = {"model": _sizes(options, codec), "classes": list(codec.classes), "max_length": codec.max_length}
        found |= {"columns": dataclasses.asdict(codec.columns), "data": prepared.data}
        return found | ({} if codec.scale is None else {"scale": dataclasses.asdict(codec.scale)})

    def files(self, prepared: Prepared) -> Mapping[str, bytes]:
        """The tokenizer, where there is text."""
        tokenizer = prepared.codec.tokenizer
        return {} if tokenizer is None else {"tokenizer.json": tokenizer.to_json().encode()}

    def build(self, config: Mapping[str, Any]) -> Classifier:
        """A model from a run's configuration."""
        return Classifier(**config["model"])

    def job(self, options: TrainClassify, model: nn.Module, prepared: Prepared, rank: int = 0) -> Job:
        """What the loop needs, for one process of several."""
        assert isinstance(model, Classifier)
        training, train = options.training, prepared.train
        if prepared.vectors is not None:
            model.start_embedding(torch.from_numpy(prepared.vectors))
        batches = Buckets(
            train.lengths,
            training.batch_of(len(train.labels), BATCH),
            lambda rows: batch_of([train.inputs[row] for row in rows], train.labels[rows]),
            seed=training.seed,
            rank=rank,
            world=training.devices,
        )
        weights = None
        if options.classify.class_weights == "balanced":
            weights = balanced_weights(torch.bincount(torch.from_numpy(train.labels)))
        return Job(
            model=model,
            loss=label_loss(weights, options.classify.label_smoothing),
            batches=batches,
            validate=lambda trained: _figures(trained, prepared.valid, len(prepared.codec.classes)),
            validation_share=len(prepared.valid.labels) / len(train.labels),
            best="accuracy" if len(prepared.valid.labels) >= TELLING else None,
            higher=True,
            unit="examples",
            epochs=max(_passes(len(train.labels)), -(-LEAST_STEPS // len(batches))),
        )

    def describe(self, model: nn.Module, prepared: Prepared) -> str:
        """Examples, classes, parameters."""
        codec, train = prepared.codec, prepared.train
        where = ", held out of every class alike" if prepared.data["held_out"] else ""
        if len(prepared.valid.labels) < TELLING:
            where += " (too few to choose weights by: the last ones are kept)"
        reads = f"vocabulary {codec.tokenizer.size:,}" if codec.tokenizer else f"{train.inputs[0].shape[1]} channels"
        return (
            f"{len(train.labels):,} examples to train on, {len(prepared.valid.labels):,} to validate on{where}; "
            f"{len(codec.classes)} classes, {reads}, {sum(p.numel() for p in model.parameters()):,} parameters"
        )

    def finish(self, run: Run, prepared: Prepared) -> None:
        """Draw the confusion matrix, of the test data where there is any, else of the validation data."""
        if not available():
            return
        from ostinato.plots.confusion import confusion_matrix

        counts, which = run.details.get("confusion"), "test data"
        if counts is None:
            counts, which = _confusion(run, prepared.valid), "validation data"
        title = f"{which}: {classification_figures(counts)['accuracy']:.1%} right"
        confusion_matrix(counts, run.codec.classes, run.folder.path / "confusion.png", title=title)

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> Codec:
        """Labels, columns, and tokenizer or scale."""
        try:
            columns = Columns(**config["columns"] | {"values": tuple(config["columns"]["values"])})
            scale = None
            if "scale" in config:
                scale = Scale(tuple(config["scale"]["mean"]), tuple(config["scale"]["deviation"]))
            tokenizer = Tokenizer.load(folder.tokenizer) if scale is None else None
            return Codec(tuple(config["classes"]), columns, config["max_length"], tokenizer, scale)
        except DataError as error:
            raise RunFolderError(str(error)) from None
        except (KeyError, TypeError) as error:
            raise RunFolderError(f"{folder.config}: damaged, it does not describe a classifier: {error}") from None

    def evaluate(
        self, run: Run, sources: Iterable[str], progress: Progress | None = None, *, beam: int | None = None
    ) -> dict[str, Any]:
        """Examples, accuracy, macro F1; the confusion matrix goes to the run's details."""
        no_beam("classify", beam)
        raw = with_labels(read_labelled(one_source(sources), run.codec.columns))
        part = Part(run.codec.encode(raw), run.codec.numbers(raw))
        run.details["confusion"] = counts = _confusion(run, part, progress)
        return classification_figures(counts)

    def predict(
        self, run: Run, source: str, progress: Progress | None = None, *, beam: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """The label of each example, with the probability of every class; where sequences have ids, with the id."""
        no_beam("classify", beam)
        raw = read_labelled(source, run.codec.columns, labels=False)
        scores = class_scores(run.model, run.codec.encode(raw), progress)
        for row, probabilities in enumerate(torch.from_numpy(scores).softmax(-1).numpy()):
            named = dict(zip(run.codec.classes, shortest(probabilities), strict=True))
            answer = {"label": max(named, key=named.__getitem__), "probabilities": named}
            yield answer if raw.keys is None else {"id": raw.keys[row], **answer}

    def reading(self, run: Run, options: ReadingOptions) -> Run:
        """The run as it is, with columns of other names."""
        there = copy.copy(run)
        there.codec = dataclasses.replace(run.codec, columns=run.codec.columns.renamed(**options.given()))
        return there

    def observe(self, run: Run, source: str | None, steps: int) -> Observed:
        """The first example; the scalar is the loss of the label that the model gives it."""
        raw = read_labelled(required(source), run.codec.columns, labels=False)
        values = run.codec.encode(raw)[0][:steps]
        tokenizer = run.codec.tokenizer
        read = [str(t + 1) for t in range(len(values))] if tokenizer is None else tokenizer.pieces(values)
        if not read:
            raise DataError(f"{raw.places(0)}: expected a sequence of at least one step")
        batch = batch_of([values])
        what, pooling = "the loss of the label it gives", run.config["model"]["pooling"]
        if pooled := pooling != "last":
            what += f", which {pooling} pooling hands to every step"
        return Observed(read, batch.inputs, batch.arguments(), _own_loss, what, pooled=pooled)

    def reads_texts(self, run: Run) -> bool:
        """Not one that classifies numbers."""
        return run.codec.tokenizer is not None

    def lines(self, run: Run, answers: Iterable[Any]) -> Iterator[str]:
        """One JSON object a line."""
        return (json.dumps(answer, ensure_ascii=False) for answer in answers)

    def labels(self, run: Run, answers: Iterable[Any]) -> Iterator[str]:
        """One a line; a line's end within a label becomes a blank."""
        return (" ".join(answer["label"].splitlines()) for answer in answers)

    def summary(self, run: Run) -> dict[str, Any]:
        """Examples trained on, and the validation with the highest accuracy."""
        position = run.folder.resume_point.position()
        best = {f"valid_{name}": value for name, value in position["best_figures"].items() if name != "examples"}
        return {"examples": position["tokens"], "classes": len(run.codec.classes), **best}

    def card(self, run: Run) -> str:
        """What was trained, on what, how well, and how to use it."""
        position, data, codec = run.folder.resume_point.position(), run.config["data"], run.codec
        reads = f"a vocabulary of {codec.tokenizer.size:,}" if codec.tokenizer else f"{len(codec.scale.mean)} channels"
        best = position["best_figures"]
        told = [
            f"classes: {', '.join(codec.classes[:20])}{', ...' if len(codec.classes) > 20 else ''}",
            f"trained on: {', '.join(data['train']['files'])} ({data['train']['examples']:,} examples), "
            f"{position['step']:,} steps",
            f"validation: {data['valid']['examples']:,} examples "
            f"{'held out of every class alike' if data['held_out'] else 'of ' + ', '.join(data['valid']['files'])}, "
            f"accuracy {best['accuracy']:.4f}, macro F1 {best['macro_f1']:.4f} at step {position['best_step']:,}",
        ]
        if run.test is not None:
            told.append(
                f"test: {', '.join(data['test']['files'])} ({run.test['examples']:,} examples), accuracy "
                f"{run.test['accuracy']:.4f}, macro F1 {run.test['macro_f1']:.4f}"
            )
        return card(run, f"Classifier ({run.config['model']['cell']}, {reads})", told, 'run.predict("new.csv")')


TASK: Task[TrainClassify, Prepared] = Classification()


def prepare_labelled(
    options: TrainClassify,
    columns: Columns,
    whole: Raw,
    valid: Raw | None = None,
    share: float = HELD_OUT,
    progress: Progress | None = None,
) -> Prepared:
    """Labelled examples in memory, made ready: split, labels and tokenizer or scale learned, encoded.

    Args:
        options: of the command.
        columns: what the run is to read later.
        whole: to train on; without `valid`, also to validate on.
        valid: to validate on.
        share: of every class to hold out where there is no `valid`; 0 validates on what is trained on.
        progress: told how far the word vectors are.
    """
    if valid is not None or not share:
        train, out = whole, whole if valid is None else valid
    else:
        strata = [str(label) for label in whole.labels]
        rows, left = held_out(len(whole), options.training.seed, share=share, strata=strata)
        train, out = chosen(whole, rows.tolist()), chosen(whole, left.tolist())
    codec = _learn(options, columns, train)
    encoded = [Part(codec.encode(raw), codec.numbers(raw)) for raw in (train, out)]
    data = {"train": _record(train), "valid": _record(out), "held_out": valid is None and share > 0}
    return Prepared(codec, encoded[0], encoded[1], data, _vectors(options, codec, encoded[0], progress))


def _vectors(
    options: TrainClassify, codec: Codec, train: Part, progress: Progress | None
) -> npt.NDArray[np.float32] | None:
    """What the embedding starts from, where it is not random numbers."""
    wanted = options.classify.word_vectors
    if codec.tokenizer is None or wanted == "random":
        return None
    if wanted == "auto" and (options.tokens.level == "char" or sum(train.lengths) < TELLING_TOKENS):
        return None
    width = _sizes(options, codec)["embed_size"]
    found: npt.NDArray[np.float32] = word_vectors(train.inputs, codec.tokenizer.size, width, progress).numpy()
    return found


def _passes(examples: int) -> int:
    """Epochs by default."""
    return min(DEFAULT_EPOCHS, max(2, round(SEEN_EXAMPLES / examples)))


def _learn(options: TrainClassify, columns: Columns, train: Raw) -> Codec:
    classes = tuple(sorted({label for label in train.labels if label is not None}))
    if len(classes) < 2:
        raise DataError(f"{train.name}: expected at least two different labels to tell apart, found {classes}")
    limit = options.classify.max_length
    if not isinstance(train.inputs[0], str):
        return Codec(classes, columns, limit, scale=Scale.of(train.inputs))
    tokens = options.tokens
    size = VOCABULARY if tokens.level == "word" and tokens.vocab_size is None else tokens.vocab_limit
    try:
        tokenizer = learn_from_texts(train.inputs, tokens.level, size, lowercase=options.classify.lowercase)
    except DataError as error:
        raise DataError(f"{train.name}: {error}") from None
    return Codec(classes, columns, limit or MAX_LENGTH[tokens.level], tokenizer)


def _sizes(options: TrainClassify, codec: Codec) -> dict[str, Any]:
    """Arguments of `Classifier`."""
    model, classify = options.model, options.classify
    reads: dict[str, Any] = {"embed_size": model.embed}
    if codec.tokenizer is not None:
        reads = {"vocab_size": codec.tokenizer.size, "embed_size": model.embed or model.hidden}
    elif codec.scale is not None:
        reads["features"] = len(codec.scale.mean)
    dropped = classify.word_dropout
    if dropped is None:
        dropped = 0.0 if codec.tokenizer is None else 0.3
    return {
        "classes": len(codec.classes),
        **reads,
        "hidden_size": model.hidden,
        "num_layers": model.layers,
        "cell": model.cell,
        "bidirectional": classify.bidirectional,
        "pooling": classify.pooling or ("max" if codec.tokenizer is None else "attention"),
        "dropout": model.dropout,
        "word_dropout": dropped,
        "recurrent_dropout": model.recurrent_dropout,
        "zoneout": model.zoneout,
        **model.cell_settings(),
    }


def _own_loss(output: Any) -> Tensor:
    return nn.functional.cross_entropy(output.logits, output.logits.argmax(-1), reduction="sum")


@torch.no_grad()
def class_scores(
    model: nn.Module, inputs: list[npt.NDArray[Any]], progress: Progress | None = None
) -> npt.NDArray[np.float32]:
    """`[N, C]` scores of every class, in the examples' order; the model is in eval mode."""
    lengths = [len(steps) for steps in inputs]
    found: dict[int, Tensor] = {}
    for rows in in_length_order(lengths, max(1, AT_ONCE // max(1, *lengths, 1))):
        batch = batch_of([inputs[row] for row in rows])
        found |= dict(zip(rows.tolist(), model(batch.inputs, **batch.arguments()).logits, strict=True))
        if progress is not None:
            progress(len(found), len(inputs))
    return torch.stack([found[row] for row in range(len(inputs))]).numpy()


def _confusion(run: Run, part: Part, progress: Progress | None = None) -> npt.NDArray[np.int64]:
    return confusion(part.labels, class_scores(run.model, part.inputs, progress).argmax(-1), len(run.codec.classes))


def _figures(model: nn.Module, part: Part, classes: int) -> dict[str, float]:
    """What validation reports: loss, accuracy, macro_f1."""
    scores = torch.from_numpy(class_scores(model, part.inputs))
    loss = nn.functional.cross_entropy(scores, torch.from_numpy(part.labels))
    figures = classification_figures(confusion(part.labels, scores.argmax(-1).numpy(), classes))
    return {"loss": float(loss), "accuracy": figures["accuracy"], "macro_f1": figures["macro_f1"]}


def _record(raw: Raw) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for label in raw.labels:
        counts[str(label)] = counts.get(str(label), 0) + 1
    return record([raw.name], raw.digest, examples=len(raw), labels=dict(sorted(counts.items())))
