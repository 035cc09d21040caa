"""Pairs of texts made ready: read, split, tokenised; those of large files in shards."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from ostinato.config.columns import as_option
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.batching.splits import held_out
from ostinato.data.corpora.corpus import Corpus, Divided, survey
from ostinato.data.corpora.pairs import pairs_in_parts
from ostinato.data.corpora.shards import Arrays, rows_of
from ostinato.data.text.pairs import PairLayout, Pairs, open_pairs
from ostinato.data.text.tokenizer import TextCodec
from ostinato.data.text.unknown_words import warn_unknown
from ostinato.data.text.vocabulary import learn_tokenizer
from ostinato.tasks.contract import Progress, record
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.sharded import in_shards, parts_of, segment_size
from ostinato.tasks.trained import Trained
from ostinato.tasks.translate.codec import PairCodec
from ostinato.tasks.translate.data import EncodedPairs
from ostinato.tasks.translate.options import TrainTranslate

#: Pairs to validate on while training, at most: evenly spaced ones.
VALIDATED = 2_000

#: Pairs of the validation data that `finish` draws the attention of.
DRAWN = 3

_KINDS = "pairs in lines, in tables (CSV, TSV, JSON lines), and in two files"


class Beside(NamedTuple):
    """What is needed of pairs besides their ids: those to draw the attention of, and how they stood in their file."""

    drawn: list[tuple[str, str]]
    layout: PairLayout


#: What is trained on may be in shards.
PreparedPairs: TypeAlias = Prepared[PairCodec, Any, Beside]


class PairCorpus(NamedTuple):
    """Pairs of large files, and which of them are trained on."""

    pairs: Corpus[Pairs]
    parts: Divided


def prepare_pairs(
    options: TrainTranslate, progress: Progress | None = None, codec: PairCodec | TextCodec | None = None
) -> PreparedPairs:
    """Read, split and tokenise. Of large files, what is learned before training is learned of a sample."""
    layout = PairLayout(options.separator, options.columns, columns_named=options.columns is not None)
    corpus = _corpus(options, layout, progress)
    train, valid, columns = _read(options, layout) if corpus is None else _parts(options, layout, corpus)
    data: dict[str, Any] = {"train": record_of(train), "valid": record_of(valid), "held_out": options.valid is None}
    if options.test is not None:
        data["test"] = record_of(open_pairs([options.test], layout))
    if not isinstance(codec, PairCodec):
        codec = _learn(options, train, codec)
    encoded = codec.encode(train)
    fitting = encoded.within(options.max_length)
    rate, fits, about = len(fitting) / len(encoded), len(fitting) > 0, ""
    if corpus is not None:
        count = int(corpus.pairs.examples.sum()) - (len(valid) if options.valid is None else 0)
        data["train"] |= {"pairs": count, "shards": len(corpus.parts.shards)}
        about = "about "
    if too_long := round((1 - rate) * data["train"]["pairs"]):
        left_out = f"{about}{too_long:,} pairs longer than --max-length {options.max_length} were left out of training"
        warnings.warn(left_out, stacklevel=1)
    if not fits:
        raise DataError(f"{', '.join(train.names)}: every pair is longer than --max-length {options.max_length}")
    held = codec.encode(valid).within(options.max_length).spread(VALIDATED)
    if not len(held):
        raise DataError(f"{', '.join(valid.names)}: every pair is longer than --max-length {options.max_length}")
    data["valid"]["used"] = len(held)
    data["train"] |= codec.unknown(encoded)
    data["valid"] |= codec.unknown(codec.encode(valid))
    tell_unknown(valid, data["valid"], codec, "a larger --vocab-size or --level bpe would know more")
    drawn = list(zip(valid.sources, valid.targets, strict=True))[:DRAWN]
    beside = Beside(drawn, PairLayout(options.separator, None if columns is None else as_option(columns)))
    if corpus is None:
        return Prepared(codec, fitting, held, data, beside)
    encoding = EncodesPairs(codec, options.max_length)
    return Prepared(codec, in_shards(*corpus, encoding, fitting, rate, progress), held, data, beside)


@dataclass(frozen=True)
class EncodesPairs:
    """How pairs become arrays: those that are not too long."""

    codec: PairCodec
    longest: int

    @property
    def key(self) -> str:
        """Tokenizers and length."""
        codec = self.codec
        return repr((codec.source.digest, codec.target.digest, codec.ends, codec.width, codec.copies, self.longest))

    def arrays(self, part: Pairs) -> Arrays:
        """Ids of both sides."""
        return self.codec.encode(part).within(self.longest).arrays()

    def examples(self, arrays: Arrays) -> EncodedPairs:
        """The pairs that were kept."""
        pairs = EncodedPairs.of_arrays(arrays, 0)
        return self.codec.to_copy(pairs, rows_of(arrays, "copied")) if self.codec.copies else pairs


def record_of(pairs: Pairs) -> dict[str, Any]:
    """What the run folder says of a part of the data."""
    return record(pairs.names, pairs.digest, pairs=len(pairs))


def layout_of(run: Trained) -> PairLayout:
    """How the pairs that a run reads stand in their file."""
    config = run.config
    return PairLayout(config["separator"], config.get("columns"), columns_named=config.get("columns_named", False))


def tell_unknown(pairs: Pairs, figures: Mapping[str, float], codec: PairCodec, advice: str) -> None:
    """Warn where many tokens are unknown."""
    warn_unknown(", ".join(pairs.names), figures, codec.target.level, advice)


def _named(options: TrainTranslate) -> list[str]:
    if options.source is not None and options.target is not None:
        if options.data:
            raise ConfigError("expected DATA, or --source and --target; got both")
        return [options.source, options.target]
    if len(options.data) != 1:
        raise ConfigError("DATA: expected one file of pairs (- for standard input), or --source F --target F")
    return list(options.data)


def _read(options: TrainTranslate, layout: PairLayout) -> tuple[Pairs, Pairs, list[str] | None]:
    """Pairs to train on and to validate on, and the columns that they stand in."""
    whole = open_pairs(_named(options), layout)
    if options.valid is not None:
        return whole, open_pairs([options.valid], layout), whole.columns
    kept, out = held_out(len(whole), options.training.seed)
    return whole.select(kept.tolist()), whole.select(out.tolist()), whole.columns


def _corpus(options: TrainTranslate, layout: PairLayout, progress: Progress | None) -> PairCorpus | None:
    """The pairs of large files, or where --shard-size asks for shards; None where they are read as a whole."""
    names = _named(options)
    files, reads = pairs_in_parts(names, layout) or (None, None)
    size = segment_size(options.shards, files, _KINDS, names)
    if size is None or files is None or reads is None:
        return None
    left_out = 0

    def look(part: Pairs) -> int:
        nonlocal left_out
        left_out += part.incomplete
        return len(part)

    corpus = survey(files, reads, size, look, progress)
    said = ", ".join(corpus.names)
    if not corpus.examples.sum():
        raise DataError(f"{said}: no pairs there; expected texts with their translations")
    if left_out:
        warnings.warn(f"{said}: {left_out:,} pairs with an empty side were left out", stacklevel=3)
    return PairCorpus(corpus, parts_of(corpus, options.training.seed, None, held_out=options.valid is None))


def _parts(options: TrainTranslate, layout: PairLayout, corpus: PairCorpus) -> tuple[Pairs, Pairs, list[str] | None]:
    """A sample of the pairs to train on, those to validate on, and the columns that they stand in."""
    sample = replace(corpus.pairs.read(corpus.parts.sample), digest=corpus.pairs.digest)
    if options.valid is not None:
        return sample, open_pairs([options.valid], layout), sample.columns
    held = corpus.pairs.read(corpus.parts.valid)
    return sample, held.select(range(len(held))), sample.columns


def _learn(options: TrainTranslate, train: Pairs, lent: TextCodec | None = None) -> PairCodec:
    """One tokenizer for both sides, or one each; a language model's, where it lends one, for both or for its side."""
    level, limit, copies = options.tokens.level, options.tokens.vocab_limit, options.model.copy
    sides = {"source": train.sources, "target": train.targets}
    if options.one_vocabulary:
        both = lent.tokenizer if lent else learn_tokenizer(train.lines(*sides.values()), level, limit)
        return PairCodec(both, both, copies=copies)
    source, target = (
        lent.tokenizer if lent and side == options.from_side else learn_tokenizer(train.lines(texts), level, limit)
        for side, texts in sides.items()
    )
    return PairCodec(source, target, copies=copies)
