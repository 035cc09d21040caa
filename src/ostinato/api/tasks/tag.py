"""tag: a tag for every word, from files of tagged sentences to accuracy, span F1 and files with other tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.api.tasks.contract import Observed, Progress, Task, no_beam, record, required
from ostinato.checkpoint import RunFolder
from ostinato.config.tasks.tag import TrainTag
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.data.bucketing import Buckets
from ostinato.data.conll import Sentence, Tagged, read_layout, read_sentences, read_tagged
from ostinato.data.files import find_files
from ostinato.data.labels import require_known
from ostinato.data.splits import HELD_OUT, held_out
from ostinato.data.tagging import TagVocabulary, WordSequences
from ostinato.decoding import bio_constraints
from ostinato.evaluation.spans import is_bio, keeps_bio
from ostinato.evaluation.tagging import named, predict_tags, predict_with_loss, tagging_figures
from ostinato.layers.crf import Chain
from ostinato.losses import tag_loss
from ostinato.models.tagger import Tagger
from ostinato.training import Job

if TYPE_CHECKING:
    from ostinato.api.run import Run

#: Share of the training sentences that may break BIO's rules before they count as not meant.
BREAKS = 0.01

#: Sentences that predict reads and answers at once.
BLOCK = 2_000

#: Passes over the sentences where no option says how many.
EPOCHS = 15


class TaggedSentence(NamedTuple):
    """An answer of `predict`.

    Attributes:
        words: of a sentence; none in what follows the last one of a file.
        tags: one a word.
        text: the sentence's lines as the file has them, with these tags.
    """

    words: list[str]
    tags: list[str]
    text: str


@dataclass(frozen=True)
class Codec:
    """Words to ids, and ids to tags.

    Attributes:
        vocabulary: words, characters and tags.
        constraints: what BIO forbids; None where the tags are not BIO, or the training data did not keep to it.
    """

    vocabulary: TagVocabulary
    constraints: Chain | None

    def tag(self, run: Run, sentences: list[list[str]], progress: Progress | None = None) -> list[list[str]]:
        """The tags of some sentences."""
        sequences = WordSequences(sentences, self.vocabulary, longest=run.config["max_length"])
        return named(predict_tags(run.model, sequences, self.constraints, progress), self.vocabulary.tags, sentences)


@dataclass(frozen=True)
class Prepared:
    """Sentences made ready.

    Attributes:
        vocabulary: of the sentences to train on.
        train: to train on.
        valid: to validate on.
        valid_tags: of each sentence to validate on, by name.
        column: of the tags, `name` and `index`.
        bio: whether the tags mark spans.
        constrained: whether decoding keeps the rules of BIO.
        data: what the run folder records of the files.
    """

    vocabulary: TagVocabulary
    train: WordSequences
    valid: WordSequences
    valid_tags: list[list[str]]
    column: dict[str, Any]
    bio: bool
    constrained: bool
    data: dict[str, Any]

    @property
    def constraints(self) -> Chain | None:
        """What BIO forbids, where that is to be kept."""
        return bio_constraints(self.vocabulary.tags) if self.constrained else None


class Tagging:
    """Sentences in, a tag for each word out."""

    def prepare(self, options: TrainTag, progress: Progress | None = None) -> Prepared:
        """Read, split, number."""
        if not options.data:
            raise ConfigError("DATA: expected at least one file of tagged sentences, or - for standard input")
        columns = {"column": options.column, "word_column": options.word_column}
        whole = read_tagged(options.data, **columns)
        valid = None if options.valid is None else read_tagged([options.valid], **columns)
        prepared = prepare_tagged(options, whole, valid)
        if options.test is not None:
            test = read_tagged([options.test], **columns)
            prepared.data["test"] = _record(test)
            require_known("tag", test.where, prepared.vocabulary.tags)
        return prepared

    def configuration(self, options: TrainTag, prepared: Prepared) -> dict[str, Any]:
        """The model's sizes; tags, characters and columns; records of the files."""
        model, spelling, vocabulary = options.model, options.spelling, prepared.vocabulary
        automatic = "crf" if prepared.bio else "softmax"
        sizes = {
            "num_words": len(vocabulary.words) + 1,
            "num_characters": len(vocabulary.characters) + 1,
            "num_tags": len(vocabulary.tags),
            "embed_size": model.embed or model.hidden,
            "hidden_size": model.hidden,
            "num_layers": model.layers,
            "cell": model.cell,
            "character_embed_size": spelling.char_embed,
            "character_hidden_size": spelling.char_hidden,
            "dropout": model.dropout,
            "word_dropout": spelling.word_dropout,
            "head": automatic if options.head == "auto" else options.head,
            "recurrent_dropout": model.recurrent_dropout,
            "zoneout": model.zoneout,
            **model.cell_settings(),
        }
        return {
            "model": sizes,
            "tags": list(vocabulary.tags),
            "characters": vocabulary.characters,
            "constrained": prepared.constrained,
            "max_length": spelling.max_length,
            "columns": {"tags": prepared.column, "column": options.column, "word_column": options.word_column},
            "data": prepared.data,
        }

    def files(self, prepared: Prepared) -> Mapping[str, bytes]:
        """The words."""
        return {"tokenizer.json": prepared.vocabulary.to_json().encode()}

    def build(self, config: Mapping[str, Any]) -> Tagger:
        """A model from a run's configuration."""
        return Tagger(**config["model"])

    def job(self, options: TrainTag, model: nn.Module, prepared: Prepared, rank: int = 0) -> Job:
        """What the loop needs, for one process of several."""
        assert isinstance(model, Tagger)
        model.count_words(torch.from_numpy(prepared.train.counts(model.embedding.num_embeddings)))
        training, train, valid = options.training, prepared.train, prepared.valid
        constraints = prepared.constraints
        batches = Buckets(
            train.lengths,
            training.batch_of(len(train)),
            train.collate,
            counts=train.lengths,
            seed=training.seed,
            rank=rank,
            world=training.devices,
        )

        def validate(trained: nn.Module) -> dict[str, float]:
            found, loss = predict_with_loss(trained, valid, constraints)
            predicted = named(found, prepared.vocabulary.tags, prepared.valid_tags)
            figures = tagging_figures(prepared.valid_tags, predicted, prepared.bio)
            return {"loss": loss} | {name: value for name, value in figures.items() if name != "tokens"}

        return Job(
            model=model,
            loss=tag_loss,
            batches=batches,
            validate=validate,
            validation_share=valid.words / train.words,
            best="span_f1" if prepared.bio else "accuracy",
            higher=True,
            unit="tokens",
            epochs=EPOCHS,
        )

    def describe(self, model: nn.Module, prepared: Prepared) -> str:
        """Sentences, words, tags, parameters."""
        where = ", a tenth" if prepared.data["held_out"] else ""
        train, valid, vocabulary = prepared.data["train"], prepared.data["valid"], prepared.vocabulary
        return (
            f"{train['sentences']:,} sentences of {train['words']:,} words to train on, {valid['sentences']:,} to "
            f"validate on{where}; {len(vocabulary.words):,} different words, {len(vocabulary.tags)} tags, "
            f"{sum(p.numel() for p in model.parameters()):,} parameters"
        )

    def finish(self, run: Run, prepared: Prepared) -> None:
        """Nothing more."""

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> Codec:
        """Words, characters and tags."""
        try:
            content = folder.tokenizer.read_text(encoding="utf-8")
            vocabulary = TagVocabulary.from_json(content, config["characters"], config["tags"])
            return Codec(vocabulary, bio_constraints(vocabulary.tags) if config["constrained"] else None)
        except (OSError, UnicodeDecodeError, DataError) as error:
            raise RunFolderError(f"{folder.tokenizer}: {error}") from None
        except (KeyError, TypeError) as error:
            raise RunFolderError(f"{folder.config}: damaged, it does not describe a tagger: {error}") from None

    def evaluate(
        self, run: Run, sources: Iterable[str], progress: Progress | None = None, *, beam: int | None = None
    ) -> dict[str, Any]:
        """Tokens, accuracy and, where the tags are BIO, span_f1."""
        no_beam("tag", beam)
        columns = run.config["columns"]
        data = read_tagged(sources, columns["column"], columns["word_column"])
        require_known("tag", data.where, run.codec.vocabulary.tags)
        return tagging_figures(data.tags, run.codec.tag(run, data.words, progress), is_bio(run.codec.vocabulary.tags))

    def predict(
        self, run: Run, source: str, progress: Progress | None = None, *, beam: int | None = None
    ) -> Iterator[TaggedSentence]:
        """The sentences of a file with their tags."""
        no_beam("tag", beam)
        columns = run.config["columns"]
        for file in find_files(source):
            layout = read_layout(file)
            column = layout.output_column(columns["tags"]["name"], columns["tags"]["index"])
            word = columns["word_column"]
            words = layout.word_column if word is None else layout.find(word, file.name)
            sentences = read_sentences(file, layout)
            while block := list(islice(sentences, BLOCK)):
                yield from _answers(run, block, words, column)

    def observe(self, run: Run, source: str | None, steps: int) -> Observed:
        """The first sentence; the scalar is the loss of the tag that scores best where a direction ends."""
        columns = run.config["columns"]
        words = read_tagged([required(source)], columns["column"], columns["word_column"]).words[0][:steps]
        batch = WordSequences([words], run.codec.vocabulary).collate(np.array([0]))

        def loss(output: Any, word: int = -1) -> Tensor:
            scores = output.emissions[word]
            return nn.functional.cross_entropy(scores, scores.argmax(-1), reduction="sum")

        what = "the loss of the last word, of the first in reverse"
        return Observed(words, batch.inputs, batch.arguments(), loss, what, backward_loss=partial(loss, word=0))

    def lines(self, run: Run, answers: Iterable[TaggedSentence]) -> Iterator[str]:
        """The file again, with other tags."""
        for answer in answers:
            yield from answer.text.removesuffix("\n").split("\n")

    def summary(self, run: Run) -> dict[str, Any]:
        """Words trained on, and the best figures on the validation data."""
        position = run.folder.resume_point.position()
        best = {f"valid_{name}": value for name, value in position["best_figures"].items()}
        return {"tokens": position["tokens"], **best}

    def card(self, run: Run) -> str:
        """What was trained, on what, how well, and how to use it."""
        config, position = run.config, run.folder.resume_point.position()
        sizes, data = config["model"], config["data"]
        source = "a tenth of the sentences" if data["held_out"] else ", ".join(data["valid"]["files"])
        lines = [
            f"# Tagger ({sizes['cell']}, {sizes['head']})",
            "",
            f"{sizes['num_layers']} x {sizes['hidden_size']} units each direction, word embedding "
            f"{sizes['embed_size']}, spelling {sizes['character_hidden_size']} each direction, {sizes['num_words']:,} "
            f"words, {sizes['num_tags']} tags, {sum(p.numel() for p in run.model.parameters()):,} parameters. "
            f"Made by ostinato {config['versions']['ostinato']}.",
            "",
            f"- tags: {', '.join(config['tags'])}",
            f"- trained on: {', '.join(data['train']['files'])} ({data['train']['words']:,} words), "
            f"{position['step']:,} steps",
            f"- validation: {source}, {_figures(position['best_figures'])} at step {position['best_step']:,}",
        ]
        if run.test is not None:
            lines.append(f"- test: {', '.join(data['test']['files'])}, {_figures(run.test)}")
        use = ["import ostinato", "", f'run = ostinato.load("{run.folder.path}")', 'run.predict("sentences.conllu")']
        return "\n".join([*lines, "", "```python", *use, "```", ""])


TASK: Task[TrainTag, Prepared] = Tagging()


def prepare_tagged(options: TrainTag, whole: Tagged, valid: Tagged | None = None, share: float = HELD_OUT) -> Prepared:
    """Sentences in memory, made ready.

    Args:
        options: of the command.
        whole: to train on; without `valid`, also to validate on.
        valid: to validate on.
        share: of the sentences to hold out where there is no `valid`; 0 validates on those that are trained on.

    Raises:
        DataError: there is nothing to learn, or too little to hold some of it out; a tag that only `valid` has.
    """
    if valid is None:
        train, held = _split(whole, options.training.seed, share) if share else (whole, whole)
    else:
        train, held = whole, valid
    # the tags are those of the sentences held out too: whether a rare one is known must not hang on the draw
    vocabulary = TagVocabulary.learn(train.words, whole.tags, options.spelling.vocab_size)
    if len(vocabulary.tags) < 2:
        raise DataError(
            f"{', '.join(train.files)}: every word has the tag {vocabulary.tags[0]!r}, so there is nothing to learn; "
            "name a column with at least two different tags (--column)"
        )
    if valid is not None:
        require_known("tag", valid.where, vocabulary.tags)
    bio = is_bio(vocabulary.tags)
    return Prepared(
        vocabulary=vocabulary,
        train=WordSequences(train.words, vocabulary, train.tags, longest=options.spelling.max_length),
        valid=WordSequences(held.words, vocabulary, held.tags, longest=options.spelling.max_length),
        valid_tags=held.tags,
        column={"name": whole.name, "index": whole.index},
        bio=bio,
        constrained=bio and sum(not keeps_bio(tags) for tags in train.tags) <= BREAKS * len(train.tags),
        data={"train": _record(train), "valid": _record(held), "held_out": valid is None and share > 0},
    )


def _split(whole: Tagged, seed: int, share: float) -> tuple[Tagged, Tagged]:
    try:
        chosen = held_out(len(whole.words), seed, share=share)
    except DataError as error:
        raise DataError(f"{', '.join(whole.files)}: {error}") from None
    train, valid = (
        replace(whole, words=[whole.words[row] for row in rows], tags=[whole.tags[row] for row in rows])
        for rows in chosen
    )
    return train, valid


def _record(part: Tagged) -> dict[str, Any]:
    return record(part.files, part.digest, sentences=len(part.words), words=sum(map(len, part.words)))


def _answers(run: Run, block: list[Sentence], words: int, column: int) -> Iterator[TaggedSentence]:
    found = [sentence.column(words) for sentence in block]
    for sentence, own, tags in zip(block, found, run.codec.tag(run, found), strict=True):
        yield TaggedSentence(own, tags, sentence.text(tags, column))


def _figures(figures: Mapping[str, float]) -> str:
    shown = f"accuracy {figures['accuracy']:.4f}"
    return f"span F1 {figures['span_f1']:.4f}, {shown}" if "span_f1" in figures else shown
