"""Tagged sentences made ready: split, vocabulary and tags learned, numbered."""

from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from ostinato.core.errors import ConfigError, DataError
from ostinato.core.span_tags import Scheme, scheme_of
from ostinato.data.batching.splits import HELD_OUT, held_out
from ostinato.data.labelled.labels import require_known, tell_doubtful, tell_unknown, unknown_labels
from ostinato.data.text.conll import TagColumns, Tagged, read_tagged
from ostinato.data.text.tokenizer import TextCodec
from ostinato.tasks.contract import Progress, record
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.sharded import in_shards
from ostinato.tasks.tag.borrowing import words_of
from ostinato.tasks.tag.codec import TagCodec
from ostinato.tasks.tag.corpora import EncodesTagged, TaggedCorpus, tag_counts, tagged_corpus
from ostinato.tasks.tag.options import TrainTag
from ostinato.tasks.tag.reading import TagVocabulary, WordSequences

#: Share of the training sentences that may break their scheme's rules before these count as not meant.
BREAKS = 0.01


class Beside(NamedTuple):
    """What is needed of sentences besides their numbers: the tags of each one to validate on, `name` and `index` of
    their column, and how they mark spans, where they do."""

    valid_tags: list[list[str]]
    column: dict[str, Any]
    scheme: Scheme | None


#: What is trained on may be in shards.
PreparedSentences: TypeAlias = Prepared[TagCodec, Any, Beside]


def prepare_files(
    options: TrainTag, progress: Progress | None = None, codec: TagCodec | TextCodec | None = None
) -> PreparedSentences:
    """The sentences of files, made ready. Raises what `prepare_tagged` does, and what is wrong with a file."""
    if not options.data:
        raise ConfigError("DATA: expected at least one file of tagged sentences, or - for standard input")
    columns = TagColumns(options.column, options.word_column, options.feature_columns)
    fresh = not isinstance(codec, TagCodec)
    if (corpus := tagged_corpus(options, columns, progress)) is not None:
        if fresh:
            tell_doubtful(", ".join(corpus.sentences.names), "tag", corpus.counts)
        prepared = prepare_in_shards(options, corpus, _valid(options, columns), progress, codec)
    else:
        whole = read_tagged(options.data, columns)
        if fresh:
            tell_doubtful(", ".join(whole.files), "tag", tag_counts(whole))
        prepared = prepare_tagged(options, whole, _valid(options, columns), codec=codec)
    if options.test is not None:
        test = read_tagged([options.test], columns)
        prepared.data["test"] = record_of(test)
        unknown_labels("tag", tag_counts(test), test.where, prepared.codec.vocabulary.tags)
    return prepared


def prepare_tagged(
    options: TrainTag,
    whole: Tagged,
    valid: Tagged | None = None,
    share: float = HELD_OUT,
    codec: TagCodec | TextCodec | None = None,
) -> PreparedSentences:
    """Sentences in memory, made ready. Without `valid` a share of `whole` is held out to validate on; of 0, validation
    is on the sentences that are trained on. `codec` reads them where another run is begun with; of
    a language model its words are known besides.

    Raises:
        DataError: there is nothing to learn, or too little to hold some of it out; `valid` has none of its tags; a tag
            that the run begun with does not have.
    """
    if valid is None:
        train, held = _split(whole, options.training.seed, share) if share else (whole, whole)
    else:
        train, held = whole, valid
    prepared = _made_ready(options, train, held, tag_counts(whole), whole.where, valid, codec)
    return replace(prepared, data=prepared.data | {"held_out": valid is None and share > 0})


def prepare_in_shards(
    options: TrainTag,
    corpus: TaggedCorpus,
    valid: Tagged | None,
    progress: Progress | None = None,
    codec: TagCodec | TextCodec | None = None,
) -> PreparedSentences:
    """The same of sentences that are too many to be held in memory: words and characters are those of a sample, tags
    those of all. Raises what `prepare_tagged` does."""
    sample, held, out = corpus.divided(valid)
    prepared = _made_ready(options, sample, out, corpus.counts, corpus.where, valid, codec)
    words, sentences = corpus.counts.total(), int(corpus.sentences.examples.sum())
    if held is not None:
        words, sentences = words - sum(map(len, held.words)), sentences - len(held.words)
    recorded = {"sentences": sentences, "words": words, "shards": len(corpus.parts.shards)}
    data = prepared.data | {"train": prepared.data["train"] | recorded, "held_out": held is not None}
    encoding = EncodesTagged(prepared.codec.vocabulary, options.spelling.max_length)
    rate = len(prepared.train) / len(sample.words)  # long sentences are several sequences
    train = in_shards(corpus.sentences, corpus.parts, encoding, prepared.train, rate, progress)
    return replace(prepared, train=train, data=data)


def _made_ready(
    options: TrainTag,
    train: Tagged,
    held: Tagged,
    counts: Counter[str],
    where: dict[str, str],
    valid: Tagged | None,
    codec: TagCodec | TextCodec | None,
) -> PreparedSentences:
    """What is learned of sentences to train on, and both parts numbered; `counts` are words by tag, of all sentences,
    and `where` the first of each is."""
    # the tags are those of the sentences held out too: whether a rare one is known must not hang on the draw
    if not isinstance(codec, TagCodec):
        vocabulary = TagVocabulary.learn(train.words, [[*counts]], options.spelling.vocab_size, train.features)
        if codec is not None:
            vocabulary = vocabulary.knowing(words_of(codec.tokenizer))
    else:
        vocabulary = codec.vocabulary
        require_known("tag", counts, where, vocabulary.tags)
    if len(vocabulary.tags) < 2:
        raise DataError(
            f"{', '.join(train.files)}: every word has the tag {vocabulary.tags[0]!r}, so there is nothing to learn; "
            "name a column with at least two different tags (--column)"
        )
    if valid is not None:
        tell_unknown("tag", tag_counts(valid), valid.where, vocabulary.tags)
    scheme = scheme_of(vocabulary.tags)
    breaks = 0 if scheme is None else sum(not scheme.keeps(tags) for tags in train.tags)
    longest = options.spelling.max_length
    own, other = (
        WordSequences(part.words, vocabulary, part.tags, features=part.features, longest=longest)
        for part in (train, held)
    )
    kept = scheme is not None and breaks <= BREAKS * len(train.tags)
    data = {
        "train": record_of(train) | {"unknown": own.unknown},
        "valid": record_of(held) | {"unknown": other.unknown},
    }
    more = Beside(held.tags, {"name": train.name, "index": train.index}, scheme)
    if not isinstance(codec, TagCodec):
        codec = TagCodec.of(vocabulary, constrained=kept)
    return Prepared(codec, own, other, data, more)


def _valid(options: TrainTag, columns: TagColumns) -> Tagged | None:
    return None if options.valid is None else read_tagged([options.valid], columns)


def _split(whole: Tagged, seed: int, share: float) -> tuple[Tagged, Tagged]:
    try:
        rows_of_parts = held_out(len(whole.words), seed, share=share)
    except DataError as error:
        raise DataError(f"{', '.join(whole.files)}: {error}") from None
    train, valid = (
        replace(
            whole,
            words=[whole.words[row] for row in rows],
            tags=[whole.tags[row] for row in rows],
            features=[whole.features[row] for row in rows] if whole.features else [],
        )
        for rows in rows_of_parts
    )
    return train, valid


def record_of(part: Tagged) -> dict[str, Any]:
    """What the run folder says of a part of the data."""
    return record(part.files, part.digest, sentences=len(part.words), words=sum(map(len, part.words)))
