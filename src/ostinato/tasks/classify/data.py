"""Labelled examples made ready for a classifier: split, labels and tokenizer or scale learned, encoded, sized."""

import dataclasses
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ostinato.config.cells import DEFAULT_CELL
from ostinato.config.text import Level
from ostinato.config.training import DEFAULT_EPOCHS
from ostinato.core.errors import DataError
from ostinato.data.batching.splits import HELD_OUT, held_out
from ostinato.data.labelled.reading import MAX_LENGTH, LabelledCodec, LabelledColumns, Raw, count_labels, selected
from ostinato.data.labelled.sequences import Scale
from ostinato.data.text.short_texts import learn_from_texts
from ostinato.data.text.tokenizer import Tokenizer
from ostinato.data.text.unknown_words import unknown_of, warn_unknown
from ostinato.data.text.word_vectors import word_vectors
from ostinato.tasks.classify.options import TrainClassify
from ostinato.tasks.contract import Progress, record
from ostinato.tasks.prepared import Prepared

#: Optimiser steps that a training has at least, where no option says how long.
LEAST_STEPS = 1_000

#: Examples in a batch at most, where no option says how many.
BATCH = 32

#: Examples that training sees at least where --epochs does not say, in 2 to 20 passes: many are soon learned by heart.
SEEN_EXAMPLES = 50_000

#: Tokens that it sees at least: short texts are passed over more often than long ones.
SEEN_TOKENS = 2_000_000

#: Steps from which on a text can do without three in ten of them.
REDUNDANT = 100

#: Share of unknown words in what is held out, above which texts are not read by words.
UNKNOWN_WORDS = 0.3

#: The same where there are too few texts to hold some out: in few texts of any language many words occur once.
UNKNOWN_WORDS_OF_FEW = 0.5

#: Validation examples from which on they say which weights are best; fewer are not held out, and given by --valid they
#: do not choose: the last weights are kept.
TELLING = 30

#: Learning rate of texts, where --lr does not say.
TEXT_RATE = 0.0015

#: Learning rate of numbers.
NUMBERS_RATE = 0.004

#: Optimiser steps between looks at how well the training data is fitted, where there is no other.
FITTED_EVERY = 250

#: Words known where --vocab-size does not say.
VOCABULARY = 20_000

#: Tokens from which on the texts themselves say what words are like.
TELLING_TOKENS = 100_000


@dataclasses.dataclass(frozen=True)
class Part:
    """Encoded examples: N arrays, ids `[T]` or features `[T, D]`; numbers `[N]` of their classes, or marks `[N, C]` of
    those they have where they may have several; names of the classes, behind those of the model those that only this
    part has."""

    inputs: list[npt.NDArray[Any]]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def lengths(self) -> list[int]:
        """Steps of each."""
        return [len(steps) for steps in self.inputs]


#: `more` is `[V, E]`, what the embedding starts from; None for random numbers.
PreparedExamples: TypeAlias = Prepared[LabelledCodec, Part, npt.NDArray[np.float32] | None]


def prepare_labelled(
    options: TrainClassify,
    columns: LabelledColumns,
    whole: Raw,
    valid: Raw | None = None,
    share: float = HELD_OUT,
    progress: Progress | None = None,
) -> PreparedExamples:
    """Labelled examples in memory, made ready: split, labels and tokenizer or scale learned, encoded.

    Without `valid` a share of every class of `whole` is held out to validate on. Where that is 0, or fewer than
    `TELLING` examples, nothing is, and validation measures what is trained on. `columns` are what the run is to read
    later; `progress` is told how far the word vectors are.
    """
    wanted = options.hold_out  # however few that are
    share = share if wanted is None else wanted
    held = valid is None and (share * len(whole) >= TELLING if wanted is None else share > 0)
    train, out = _split(whole, options.training.seed, share) if held else (whole, whole if valid is None else valid)
    # how well words are known shows on texts that they were not learned from
    unseen = out if out is not whole else None
    codec, beyond = _learn(options, columns, train, unseen)
    own, other = (Part(codec.encode(raw), *codec.numbers(raw)) for raw in (train, out))
    data: dict[str, Any] = {"train": record_of(train), "valid": record_of(out), "held_out": held}
    data["validated"] = out is not whole
    if codec.tokenizer is not None:
        data["train"] |= unknown_of(own.inputs, codec.tokenizer)
        data["valid"] |= unknown_of(other.inputs, codec.tokenizer)
        advice = "--level bpe reads words in pieces, a larger --vocab-size knows more of them"
        warn_unknown(out.name, data["valid"], codec.tokenizer.level, advice)
    if beyond is not None:
        data["unknown_words"] = beyond
    return Prepared(codec, own, other, data, _vectors(options, codec, own, progress))


def _split(whole: Raw, seed: int, share: float) -> tuple[Raw, Raw]:
    """Examples to train on, and a share of every class held out; of any where they may have several labels."""
    strata = None if whole.several is not None else [str(label) for label in whole.labels]
    rows, left = held_out(len(whole), seed, share=share, strata=strata)
    return selected(whole, rows.tolist()), selected(whole, left.tolist())


def _vectors(
    options: TrainClassify, codec: LabelledCodec, train: Part, progress: Progress | None
) -> npt.NDArray[np.float32] | None:
    """What the embedding starts from, where it is not random numbers."""
    wanted = options.classify.word_vectors
    if codec.tokenizer is None or wanted == "random":
        return None
    if wanted == "auto" and (codec.tokenizer.level == "char" or sum(train.lengths) < TELLING_TOKENS):
        return None
    width = sizes(options, codec, train)["embed_size"]
    found: npt.NDArray[np.float32] = word_vectors(train.inputs, codec.tokenizer.size, width, progress).numpy()
    return found


def passes(examples: int, tokens: int) -> int:
    """Epochs by default: as many as it takes to see `SEEN_EXAMPLES`, or `SEEN_TOKENS` of texts, whichever are more."""
    seen = max(SEEN_EXAMPLES / examples, SEEN_TOKENS / tokens if tokens else 0)
    return min(DEFAULT_EPOCHS, max(2, round(seen)))


def _learn(
    options: TrainClassify, columns: LabelledColumns, train: Raw, unseen: Raw | None
) -> tuple[LabelledCodec, float | None]:
    """Labels, and tokenizer or scale; where words would not do, the share of them that is unknown, else None."""
    classes = tuple(sorted(count_labels(train)[0]))
    if len(classes) < 2:
        raise DataError(f"{train.name}: expected at least two different labels to tell apart, found {classes}")
    limit = options.classify.max_length
    if not isinstance(train.inputs[0], str):
        return LabelledCodec(classes, columns, limit, scale=Scale.of(train.inputs)), None
    level = options.tokens.level
    tokenizer, beyond = _tokenizer(options, "word" if level == "auto" else level, train), None
    most = UNKNOWN_WORDS_OF_FEW if unseen is None else UNKNOWN_WORDS
    if level == "auto" and (share := _unknown_words(options, tokenizer, train, unseen)) > most:
        words = sum(map(len, tokenizer.encode_all(train.inputs)))
        tokenizer, beyond = _tokenizer(options, "char" if words <= 2 * len(train) else "bpe", train), share
    return LabelledCodec(classes, columns, limit or MAX_LENGTH[tokenizer.level], tokenizer), beyond


def _unknown_words(options: TrainClassify, words: Tokenizer, train: Raw, unseen: Raw | None) -> float:
    """Share of the words unknown in texts that the vocabulary was not learned from."""
    if unseen is None:
        if len(train) < 2:
            return 0.0
        rows, left = held_out(len(train), options.training.seed)
        words, unseen = _tokenizer(options, "word", selected(train, rows.tolist())), selected(train, left.tolist())
    return unknown_of(words.encode_all(unseen.inputs), words)["unknown"]


def _tokenizer(options: TrainClassify, level: Level, train: Raw) -> Tokenizer:
    tokens = options.tokens.at_level(level)
    size = VOCABULARY if level == "word" and tokens.vocab_size is None else tokens.vocab_limit
    try:
        return learn_from_texts(train.inputs, level, size, lowercase=options.classify.lowercase)
    except DataError as error:
        raise DataError(f"{train.name}: {error}") from None


def word_dropout(steps: float) -> float:
    """Share of the steps that training leaves out by default: the fewer the shorter texts are, on average."""
    return 0.3 * min(1.0, steps / REDUNDANT)


def sizes(options: TrainClassify, codec: LabelledCodec, train: Part) -> dict[str, Any]:
    """Arguments of `Classifier`."""
    model, classify = options.model, options.classify
    reads: dict[str, Any] = {"embed_size": model.embed}
    if codec.tokenizer is not None:
        reads = {"vocab_size": codec.tokenizer.size, "embed_size": model.embed or model.hidden}
    elif codec.scale is not None:
        reads["features"] = len(codec.scale.mean)
    dropped = classify.word_dropout
    if dropped is None:
        dropped = 0.0 if codec.tokenizer is None else word_dropout(sum(train.lengths) / len(train.lengths))
    return {
        "classes": len(codec.classes),
        **reads,
        "bidirectional": classify.bidirectional,
        "pooling": classify.pooling or ("max" if codec.tokenizer is None else "attention"),
        "word_dropout": dropped,
        **model.layer_settings(),
        "cell": model.cell or ("gru" if codec.tokenizer is None else DEFAULT_CELL),
    }


def record_of(raw: Raw) -> dict[str, Any]:
    """What the run folder says of a part of the data."""
    counts, _ = count_labels(raw)
    return record(raw.files or [raw.name], raw.digest, examples=len(raw), labels=dict(sorted(counts.items())))
