"""Tagged sentences of large files: surveyed, divided, numbered in shards."""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from ostinato.core.batch import Batch
from ostinato.core.errors import DataError
from ostinato.data.batching.buckets import Rows
from ostinato.data.corpora.corpus import Corpus, Divided, survey
from ostinato.data.corpora.shards import Arrays
from ostinato.data.corpora.tagged import tagged_in_parts
from ostinato.data.text.conll import TagColumns, Tagged
from ostinato.tasks.contract import Progress
from ostinato.tasks.sharded import parts_of, segment_size
from ostinato.tasks.tag.options import TrainTag
from ostinato.tasks.tag.reading import TagVocabulary, WordSequences


class TaggedCorpus(NamedTuple):
    """What is known of large files once they were read through.

    Attributes:
        sentences: of the files.
        parts: which are trained on, held out, looked at before training.
        counts: words by tag, of all sentences.
        where: the first word of each tag is.
    """

    sentences: Corpus[Tagged]
    parts: Divided
    counts: Counter[str]
    where: dict[str, str]

    def divided(self, valid: Tagged | None) -> tuple[Tagged, Tagged | None, Tagged]:
        """Sentences of all over what is trained on; those that are held out, where none are given to validate on; and
        what is validated on: that, what is given, or else the first."""
        sample = self._read(self.parts.sample)
        held = self._read(self.parts.valid) if valid is None and len(self.parts.valid) else None
        return sample, held, next(part for part in (valid, held, sample) if part is not None)

    def _read(self, segments: Rows) -> Tagged:
        return replace(self.sentences.read(segments), digest=self.sentences.digest)


def tagged_corpus(options: TrainTag, columns: TagColumns, progress: Progress | None = None) -> TaggedCorpus | None:
    """The data to train on, where it is large, or --shard-size asks for shards; None where it is read as a whole.

    Raises:
        DataError: what is wrong with the data.
        ConfigError: shards are asked for of what cannot be read in parts.
    """
    files, reads = tagged_in_parts(options.data, columns) or (None, None)
    size = segment_size(options.shards, files, "files of tagged sentences", options.data)
    if size is None or files is None or reads is None:
        return None
    counts, where = Counter[str](), dict[str, str]()

    def look(part: Tagged) -> int:
        nonlocal where
        counts.update(tag_counts(part))
        where = part.where | where
        return len(part.words)

    corpus = survey(files, reads, size, look, progress)
    if not counts:
        raise DataError(f"{', '.join(corpus.names)}: expected tagged sentences, found none")
    parts = parts_of(corpus, options.training.seed, None, held_out=options.valid is None)
    return TaggedCorpus(corpus, parts, counts, where)


def tag_counts(part: Tagged) -> Counter[str]:
    """Words by tag."""
    return Counter(chain.from_iterable(part.tags))


@dataclass(frozen=True)
class NumberedSentences:
    """Sentences of a shard."""

    sequences: WordSequences

    @property
    def lengths(self) -> Rows:
        """Words of each."""
        return self.sequences.lengths

    @property
    def counts(self) -> Rows:
        """Each word has a tag to learn."""
        return self.sequences.lengths

    def batch(self, rows: Rows) -> Batch:
        """Those with these numbers."""
        return self.sequences.collate(rows)


@dataclass(frozen=True)
class EncodesTagged:
    """How tagged sentences become arrays."""

    vocabulary: TagVocabulary
    longest: int

    @property
    def key(self) -> str:
        """The vocabulary, and where sentences are cut."""
        return repr((self.vocabulary, self.longest))

    def arrays(self, part: Tagged) -> Arrays:
        """Words, tags and features as numbers."""
        return WordSequences(
            part.words, self.vocabulary, part.tags, features=part.features, longest=self.longest
        ).arrays()

    def examples(self, arrays: Arrays) -> NumberedSentences:
        """The sentences that were kept."""
        return NumberedSentences(WordSequences.of_arrays(arrays))
