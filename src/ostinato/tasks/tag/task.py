"""tag: a tag for every word, from files of tagged sentences to accuracy, span F1 and files with other tags."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, groupby, islice
from typing import Any, NamedTuple, NoReturn, Self

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.position import Count
from ostinato.checkpoint.recorded import Positive
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.core.span_tags import scheme_of
from ostinato.data.batching.buckets import Buckets
from ostinato.data.corpora.batches import ShardedBuckets
from ostinato.data.labelled.labels import tell_unknown
from ostinato.data.sources.encodings import whole_characters
from ostinato.data.sources.files import TextFile, find_files
from ostinato.data.sources.memory import Steps, in_memory
from ostinato.data.text.conll import Sentence, TagColumns, read_sentences, read_tagged
from ostinato.data.text.conll_layout import Layout, read_layout
from ostinato.data.text.plain_sentences import WORDS, is_plain, plain_sentences
from ostinato.data.text.tokenizer import TextCodec
from ostinato.data.text.unknown_words import unknown_note
from ostinato.evaluation.collapse import tell_collapsed
from ostinato.inspection.observed import Observed, Typed
from ostinato.tasks.card import CardFacts, files_of, valid_source
from ostinato.tasks.contract import Progress, Task
from ostinato.tasks.sharded import InShards, shown
from ostinato.tasks.stepwise import require_one_way
from ostinato.tasks.tag import in_c, portable
from ostinato.tasks.tag.adopting import USED, adopt
from ostinato.tasks.tag.borrowing import BORROWED, borrow
from ostinato.tasks.tag.codec import TagCodec
from ostinato.tasks.tag.corpora import tag_counts
from ostinato.tasks.tag.data import PreparedSentences, prepare_files
from ostinato.tasks.tag.figures import commonest_tag, predict_with_loss, scores_by_type, tag_names, tagging_figures
from ostinato.tasks.tag.heads import tag_loss
from ostinato.tasks.tag.model import Tagger
from ostinato.tasks.tag.options import EvaluateTag, PredictTag, TrainTag
from ostinato.tasks.tag.reading import TagVocabulary, WordSequences
from ostinato.tasks.tag.results import Figures, Scores, Summary
from ostinato.tasks.trained import AnyRun, Trained, changed, require_alike, summed_up
from ostinato.tasks.watching import required
from ostinato.training import ALONE, Job, Processes

#: Sentences that predict reads and answers at once.
BLOCK = 2_000

#: Passes over the sentences where no option says how many.
EPOCHS = 15


class TagExample(NamedTuple):
    """A sentence to tag: its words (none in what follows the last one of a file), its other columns that the model
    reads, and where it is of a file its lines, and of these the column where the tags belong."""

    words: list[str]
    features: Sequence[list[str]] = ()
    sentence: Sentence | None = None
    column: int = 1

    @classmethod
    def of(cls, sentence: Sentence, words: int, column: int, features: Sequence[int] = ()) -> Self:
        """A file's sentence, by the places of its columns."""
        return cls(sentence.column(words), [sentence.column(feature) for feature in features], sentence, column)

    @property
    def file(self) -> str | None:
        """Where it comes from."""
        return None if self.sentence is None else self.sentence.file

    def text(self, tags: Sequence[str]) -> str:
        """Its lines with these tags; without a file a word and its tag a line."""
        if self.sentence is None:
            return "".join([*(f"{word}\t{tag}\n" for word, tag in zip(self.words, tags, strict=True)), "\n"])
        return self.sentence.text(tags, self.column)


class TaggedSentence(NamedTuple):
    """An answer of `predict`: the words of a sentence (none in what follows the last one of a file), a tag for each,
    and the sentence's lines as the file has them, with these tags."""

    words: list[str]
    tags: list[str]
    text: str


class Tagging:
    """Sentences in, a tag for each word out."""

    RECORDED: Mapping[str, Any] = {
        "tags": list[str],
        "characters": str,
        "constrained": bool,
        "max_length": Positive,
        "columns.tags.name": str | None,
        "columns.tags.index": int,
        "columns.column": str | None,
        "columns.word_column": str | None,
        "data.train.words": Count,
        "data.held_out": bool,
    }

    def prepare(
        self, options: TrainTag, progress: Progress | None = None, codec: TagCodec | TextCodec | None = None
    ) -> PreparedSentences:
        """Read, split, number."""
        return prepare_files(options, progress, codec)

    def configuration(self, options: TrainTag, prepared: PreparedSentences) -> dict[str, Any]:
        """The model's sizes; tags, characters and columns; records of the files."""
        model, spelling, vocabulary = options.model, options.spelling, prepared.codec.vocabulary
        automatic = "crf" if prepared.more.scheme else "softmax"
        sizes = {
            "num_words": len(vocabulary.words) + 1,
            "num_characters": len(vocabulary.characters) + 1,
            "num_tags": len(vocabulary.tags),
            "embed_size": model.embed or model.hidden,
            "character_embed_size": spelling.char_embed,
            "character_hidden_size": spelling.char_hidden,
            "word_dropout": spelling.word_dropout,
            "head": automatic if options.head == "auto" else options.head,
            **({"num_features": [len(values) + 1 for values in vocabulary.features]} if vocabulary.features else {}),
            **model.layer_settings(),
        }
        columns: dict[str, Any] = {
            "tags": prepared.more.column,
            "column": options.column,
            "word_column": options.word_column,
        }
        if vocabulary.features:
            columns["features"] = dict(zip(options.feature_columns, vocabulary.features, strict=True))
        return {
            "model": sizes,
            "tags": list(vocabulary.tags),
            "characters": vocabulary.characters,
            "constrained": prepared.codec.constraints is not None,
            "max_length": spelling.max_length,
            "columns": columns,
            "data": prepared.data,
        }

    def files(self, prepared: PreparedSentences) -> Mapping[str, bytes]:
        """The words."""
        return {"tokenizer.json": prepared.codec.vocabulary.to_json().encode()}

    def build(self, config: Mapping[str, Any]) -> Tagger:
        """A model from a run's configuration."""
        return Tagger(**config["model"])

    def job(
        self, options: TrainTag, model: nn.Module, prepared: PreparedSentences, processes: Processes = ALONE
    ) -> Job:
        """What the loop needs, for one process of several."""
        assert isinstance(model, Tagger)
        training, train, valid = options.training, shown(prepared.train), prepared.valid
        words = prepared.data["train"]["words"]
        counts = train.counts(model.embedding.num_embeddings) * (words / train.words)  # of a sample more than it has
        model.count_words(torch.as_tensor(counts))
        constraints = prepared.codec.constraints
        size, seed, place = training.batch_of(len(prepared.train)), training.seed, (processes.rank, processes.size)
        batches: Buckets | ShardedBuckets
        if isinstance(prepared.train, InShards):
            batches = prepared.train.batches(size, seed, processes)
        else:
            batches = Buckets(train.lengths, size, train.collate, train.lengths, seed, *place)

        def validate(trained: nn.Module) -> dict[str, float]:
            found, loss = predict_with_loss(trained, valid, constraints)
            predicted = tag_names(found, prepared.codec.vocabulary.tags, prepared.more.valid_tags)
            figures = tagging_figures(prepared.more.valid_tags, predicted, prepared.more.scheme)
            return {"loss": loss} | {name: figures[name] for name in ("accuracy", "span_f1") if name in figures}

        assert train.tags is not None  # there are, of what is trained on
        return Job(
            model=model,
            loss=tag_loss,
            batches=batches,
            validate=validate,
            validation_share=valid.words / words,
            best="span_f1" if prepared.more.scheme else "accuracy",
            higher=True,
            unit="tokens",
            epochs=EPOCHS,
            guess=partial(commonest_tag, train.tags, prepared.more.valid_tags, prepared.codec.vocabulary.tags),
        )

    def embeddings(self, codec: TagCodec) -> Mapping[str, Mapping[str, int]]:
        """That of the words, in small letters."""
        return {"embedding": codec.vocabulary.words}

    borrow, BORROWED = staticmethod(borrow), BORROWED

    def describe(self, model: nn.Module, prepared: PreparedSentences) -> str:
        """Sentences, words, tags, parameters."""
        in_shards = isinstance(prepared.train, InShards)
        where = (", held out" if in_shards else ", a tenth") if prepared.data["held_out"] else ""
        shards = f" in {prepared.train.shards.count:,} shards" if in_shards else ""
        train, valid, vocabulary = prepared.data["train"], prepared.data["valid"], prepared.codec.vocabulary
        return (
            f"{train['sentences']:,} sentences of {train['words']:,} words to train on{shards}, "
            f"{valid['sentences']:,} to validate on{where}; {len(vocabulary.words):,} different words"
            f"{unknown_note(prepared.data, 'words')}, {len(vocabulary.tags)} tags, "
            f"{sum(p.numel() for p in model.parameters()):,} parameters"
        )

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> TagCodec:
        """Words, characters and tags."""
        features = config["columns"].get("features", {}).values()
        try:
            content = folder.tokenizer.read_text(encoding="utf-8")
            vocabulary = TagVocabulary.from_json(content, config["characters"], config["tags"], [*features])
        except (OSError, UnicodeDecodeError, DataError) as error:
            raise RunFolderError(f"{folder.tokenizer}: {error}") from None
        return TagCodec.of(vocabulary, constrained=config["constrained"])

    def evaluate(
        self, run: Trained, sources: Iterable[str], options: EvaluateTag, progress: Progress | None = None
    ) -> Figures:
        """The figures of `tagging_figures`, unknown words and unknown tags among them; scores by type."""
        data, vocabulary = read_tagged(sources, _columns(run)), run.codec.vocabulary
        counts, scheme = tag_counts(data), scheme_of(vocabulary.tags)
        unknown = tell_unknown("tag", counts, data.where, vocabulary.tags)
        found = run.codec.tag(run, data.words, progress, data.features)
        tell_collapsed("tag", chain.from_iterable(found), counts, kinds=True)
        figures = tagging_figures(data.tags, found, scheme)
        return Figures(
            **figures,
            unknown=vocabulary.unknown(data.words),
            unknown_tags=sum(counts[tag] for tag in unknown),
            types={kind: Scores(**scores) for kind, scores in scores_by_type(data.tags, found, scheme).items()},
        )

    def read(self, run: Trained, source: str) -> Iterator[TagExample]:
        """The sentences of files, with all that stands beside their words; sentences or lists of tokens in memory."""
        held = in_memory(source)
        if isinstance(held, Steps):
            yield from (TagExample([whole_characters(str(token)) for token in tokens]) for tokens in held.sequences)
            return
        for file in find_files(source):
            words, column, features = 0, 1, list[int]()
            layout = WORDS if held is not None else read_layout(file)
            if held is not None or _is_plain(run, file, layout):
                sentences = plain_sentences(file)
            else:
                column, columns = _output_column(run, layout), _columns(run)
                words = layout.word_column if columns.word is None else layout.find(columns.word, file.name)
                features = columns.feature_places(layout, file.name, column)
                sentences = read_sentences(file, layout)
            for sentence in sentences:
                yield TagExample.of(sentence, words, column, features)

    def answer(
        self, run: Trained, examples: Iterable[TagExample], options: PredictTag, progress: Progress | None = None
    ) -> Iterator[TaggedSentence]:
        """The sentences with their tags."""
        for _, of_one_file in groupby(examples, lambda example: example.file):
            while block := list(islice(of_one_file, BLOCK)):
                words = [example.words for example in block]
                features = [example.features for example in block] if any(one.features for one in block) else []
                for example, tags in zip(block, run.codec.tag(run, words, features=features), strict=True):
                    yield TaggedSentence(example.words, tags, example.text(tags))

    def steps(self, run: Trained) -> NoReturn:
        """None: a tag rests on the words behind it, too."""
        require_one_way(run)
        raise ConfigError("a tagger reads whole sentences: send them to /answer")

    def together(self, runs: Sequence[Trained]) -> nn.Module:
        """Each reads by itself; their tags, and the columns they read beside the words, must be the same."""
        require_alike("tags", [sorted(run.codec.vocabulary.tags) for run in runs])
        require_alike("columns", [run.config["columns"] for run in runs])
        return nn.ModuleList([run.model for run in runs])

    adopt, ADOPTING = staticmethod(adopt), USED
    described = staticmethod(portable.described)
    program, sample = staticmethod(in_c.program), staticmethod(in_c.sample)

    def reading(self, run: AnyRun, given: Mapping[str, Any]) -> AnyRun:
        """The run as it is, with tags or words in other columns, or reading plain sentences."""
        form = {"input_format": given["format"]} if "format" in given else {}
        place = {"output_column": given["column"]} if "column" in given else {}
        columns = {name: column for name, column in given.items() if name != "format"}
        return changed(run, config=run.config | {"columns": run.config["columns"] | columns} | form | place)

    def observe(self, run: Trained, source: str | None, steps: int) -> Observed:
        """The first sentence; the scalar is the loss of the tag that scores best where a direction ends."""
        data = read_tagged([required(source)], _columns(run))
        features = [[column[:steps] for column in own] for own in data.features[:1]]
        return _observed(run, data.words[0][:steps], features)

    def typed(self, run: Trained, text: str) -> Typed:
        """Words between white space, as one sentence; the scalar is that of `observe`."""
        found = [(match.group(), match.span()) for match in re.finditer(r"\S+", whole_characters(text))]
        words = [word for word, _ in found]
        return Typed([span for _, span in found], lambda steps: _observed(run, words[:steps]))

    def example(self, run: Trained) -> str:
        """Its most frequent words, which have the lowest ids."""
        return " ".join(islice(run.codec.vocabulary.words, 12))

    def reads_texts(self, run: Trained) -> bool:
        """Each does."""
        return True

    def lines(self, run: Trained, answers: Iterable[TaggedSentence]) -> Iterator[str]:
        """The file again, with other tags."""
        for answer in answers:
            yield from answer.text.removesuffix("\n").split("\n")

    def labels(self, run: Trained, answers: Iterable[TaggedSentence]) -> Iterator[str]:
        """The tags of a sentence in a line, with blanks between."""
        return (" ".join(answer.tags) for answer in answers if answer.tags)

    metadata, graphs = staticmethod(portable.metadata), staticmethod(portable.graphs)

    def summary(self, run: Trained) -> Summary:
        """Words trained on, and the best figures on the validation data."""
        return summed_up(Summary, run, tokens=run.folder.resume_point.position().tokens)

    def card(self, run: Trained) -> CardFacts:
        """What was trained, on what, how well, and how to use it."""
        config, sizes, data = run.config, run.config["model"], run.config["data"]
        return CardFacts(
            title=f"Tagger ({sizes['cell']}, {sizes['head']})",
            model=f"{sizes['num_layers']} x {sizes['hidden_size']} units each direction, word embedding "
            f"{sizes['embed_size']}, spelling {sizes['character_hidden_size']} each direction, {sizes['num_words']:,} "
            f"words, {sizes['num_tags']} tags",
            about=[f"tags: {', '.join(config['tags'])}"],
            trained_on=f"{files_of(data['train'])} ({data['train']['words']:,} words)",
            validated_on=valid_source(data, "a tenth of the sentences"),
            best=_figures(run.folder.resume_point.position().best_figures),
            tested=None if run.test is None else f"{files_of(data['test'])}, {_figures(run.test)}",
            use='run.predict("sentences.conllu")',
        )


TASK: Task[TrainTag, PreparedSentences] = Tagging()


def _observed(run: Trained, words: list[str], features: Sequence[Sequence[list[str]]] = ()) -> Observed:
    """One sentence; the scalar is the loss of the tag that scores best where a direction ends."""
    batch = WordSequences([words], run.codec.vocabulary, features=features).collate(np.array([0]))

    def loss(output: Any, word: int = -1) -> Tensor:
        scores = output.emissions[word]
        return nn.functional.cross_entropy(scores, scores.argmax(-1), reduction="sum")

    what = "the loss of the last word, of the first in reverse"
    return Observed(words, batch.inputs, batch.arguments(), loss, what, backward_loss=partial(loss, word=0))


def _columns(run: Trained) -> TagColumns:
    """What a run reads of a file."""
    columns = run.config["columns"]
    return TagColumns(columns["column"], columns["word_column"], tuple(columns.get("features", {})))


def _is_plain(run: Trained, file: TextFile, layout: Layout) -> bool:
    """Whether a file holds sentences, one a line, and no words in columns."""
    form = run.config.get("input_format")
    if form is not None:
        return bool(form == "text")
    return is_plain(file, layout, _output_column(run, layout), run.codec.vocabulary.tags)


def _output_column(run: Trained, layout: Layout) -> int:
    """Where a run writes its tags in a file."""
    columns = run.config["columns"]
    if (asked := run.config.get("output_column")) is not None:
        return layout.find(asked, "") if layout.has(asked) else layout.width
    return layout.output_column(columns["tags"]["name"], columns["tags"]["index"], last=columns["column"] is None)


def _figures(figures: Mapping[str, float]) -> str:
    shown = f"accuracy {figures['accuracy']:.4f}"
    return f"span F1 {figures['span_f1']:.4f}, {shown}" if "span_f1" in figures else shown
