"""Tagged sentences made ready: split, vocabulary and tags learned, numbered."""

from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from ostinato.core.errors import DataError
from ostinato.core.span_tags import Scheme, scheme_of
from ostinato.data.batching.splits import HELD_OUT, held_out
from ostinato.data.labelled.labels import require_known, tell_unknown
from ostinato.data.text.conll import Tagged
from ostinato.data.text.tokenizer import TextCodec
from ostinato.tasks.contract import record
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.tag.borrowing import words_of
from ostinato.tasks.tag.codec import TagCodec
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


PreparedSentences: TypeAlias = Prepared[TagCodec, WordSequences, Beside]


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
    # the tags are those of the sentences held out too: whether a rare one is known must not hang on the draw
    if not isinstance(codec, TagCodec):
        vocabulary = TagVocabulary.learn(train.words, whole.tags, options.spelling.vocab_size, train.features)
        if codec is not None:
            vocabulary = vocabulary.knowing(words_of(codec.tokenizer))
    else:
        vocabulary = codec.vocabulary
        require_known("tag", tag_counts(whole), whole.where, vocabulary.tags)
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
        "held_out": valid is None and share > 0,
    }
    more = Beside(held.tags, {"name": whole.name, "index": whole.index}, scheme)
    if not isinstance(codec, TagCodec):
        codec = TagCodec.of(vocabulary, constrained=kept)
    return Prepared(codec, own, other, data, more)


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


def tag_counts(part: Tagged) -> Counter[str]:
    """Words by tag."""
    return Counter(chain.from_iterable(part.tags))
