"""Texts and sequences of numbers made ready for a task of one answer to each: read, split, batched, told of."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ostinato.checkpoint import RunFolder
from ostinato.config.cells import DEFAULT_CELL, DEFAULT_CELL_OF_NUMBERS
from ostinato.config.text import Level
from ostinato.config.training import DEFAULT_EPOCHS
from ostinato.core.batch import Batch
from ostinato.core.errors import DataError
from ostinato.data.batching.buckets import Buckets, Rows, in_length_order
from ostinato.data.batching.splits import held_out
from ostinato.data.corpora.batches import ShardedBuckets
from ostinato.data.labelled.examples import Raw, selected
from ostinato.data.labelled.reading import MAX_LENGTH, LabelledColumns, SequenceCodec, batch_of
from ostinato.data.labelled.sequences import Scale
from ostinato.data.text.short_texts import learn_from_texts
from ostinato.data.text.tokenizer import TextCodec, Tokenizer
from ostinato.data.text.unknown_words import unknown_note, unknown_of, warn_unknown
from ostinato.data.text.word_vectors import word_vectors
from ostinato.models.many_to_one import ManyToOne
from ostinato.tasks.contract import Progress
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.sequence_options import TrainSequences
from ostinato.tasks.sharded import InShards, count_of, shown
from ostinato.training import Guess, Job, Processes

#: N encoded examples, ids `[T]` or features `[T, D]`.
Inputs: TypeAlias = list[npt.NDArray[Any]]

#: Optimiser steps that a training has at least, where no option says how long; of warped sequences, which are others
#: every time.
LEAST_STEPS, LEAST_WARPED = 1_000, 2_000

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

#: Convolutions in front of the layers of a classifier of numbers that reads both ways.
CONVOLUTIONS = 2

#: Examples of which there are enough without warping, and steps of a sequence, on average, from which on it is done:
#: in a short one each step says something of its own.
ENOUGH, WARPED_STEPS = 1_000, 50

#: Optimiser steps between looks at how well the training data is fitted, where there is no other.
FITTED_EVERY = 250

#: Words known where --vocab-size does not say.
VOCABULARY = 20_000

#: Tokens from which on the texts themselves say what words are like.
TELLING_TOKENS = 100_000

#: Steps times sequences answered at once, at most.
AT_ONCE = 64_000


def divided(
    options: TrainSequences, wanted: float | None, whole: Raw, valid: Raw | None, share: float, *, by_label: bool
) -> tuple[Raw, Raw, bool]:
    """Examples to train on, those to validate on, and whether the latter were held out, `by_label` the same share of
    every label.

    Without `valid` they are the share that the options want, however few that are. Where they want none in particular
    it is `share`; fewer than `TELLING` are not held out then, and validation measures what is trained on.
    """
    share = share if wanted is None else wanted
    if valid is not None or not (share * len(whole) >= TELLING if wanted is None else share > 0):
        return whole, whole if valid is None else valid, False
    strata = [str(label) for label in whole.labels] if by_label else None
    rows, left = held_out(len(whole), options.training.seed, share=share, strata=strata)
    return selected(whole, rows.tolist()), selected(whole, left.tolist()), True


def data_of(
    codec: SequenceCodec, parts: tuple[Raw, Raw], inputs: tuple[Inputs, Inputs], record: Callable[[Raw], dict[str, Any]]
) -> dict[str, Any]:
    """What the run records of what is trained and of what is validated on, by `record`, and the shares of unknown
    tokens in the encoded inputs; a warning where these are many. The parts are one where none is validated on."""
    train, valid = map(record, parts)
    if codec.tokenizer is not None:
        train, valid = (of | unknown_of(own, codec.tokenizer) for of, own in zip((train, valid), inputs, strict=True))
        advice = "--level bpe reads words in pieces, a larger --vocab-size knows more of them"
        warn_unknown(parts[1].name, valid, codec.tokenizer.level, advice)
    return {"train": train, "valid": valid, "validated": parts[0] is not parts[1]}


def encoded(codec: SequenceCodec, raw: Raw) -> tuple[Inputs, dict[str, Any]]:
    """Examples to measure a run by, and the share of their tokens that it does not know; a warning where these are
    many."""
    inputs, unknown = codec.encode(raw), dict[str, Any]()
    if codec.tokenizer is not None:
        unknown = unknown_of(inputs, codec.tokenizer)
        warn_unknown(raw.name, unknown, codec.tokenizer.level, "its texts are not like those it was trained on")
    return inputs, unknown


def job_of(
    options: TrainSequences,
    model: nn.Module,
    prepared: Prepared[Any, Any, npt.NDArray[np.float32] | None],
    targets: npt.NDArray[Any],
    *,
    loss: Callable[[Any, Batch], Tensor],
    validate: Callable[[nn.Module], Mapping[str, float]],
    best: str,
    higher: bool,
    processes: Processes,
    guess: Callable[[], Guess] | None = None,
) -> Job:
    """What the loop needs, for one process of several: `targets`, `[N, ...]`, are expected of the examples; `best`
    is the figure of `validate` that weights are chosen by, where there are enough examples; `guess` says what guessing
    would be worth."""
    assert isinstance(model, ManyToOne)
    if prepared.more is not None:
        model.start_embedding(torch.as_tensor(prepared.more))
    train, inputs, text = prepared.train, shown(prepared.train).inputs, prepared.codec.tokenizer is not None
    size, seed = options.training.batch_of(len(train), BATCH), options.training.seed
    batches: Buckets | ShardedBuckets
    if isinstance(train, InShards):
        batches = train.batches(size, seed, processes)
    else:
        lengths = [len(steps) for steps in inputs]

        def collate(rows: Rows) -> Batch:
            return batch_of([inputs[row] for row in rows], targets[rows])

        batches = Buckets(lengths, size, collate, None, seed, processes.rank, processes.size)
    tokens = round(sum(map(len, inputs)) / len(inputs) * len(train)) if text else 0
    least = LEAST_WARPED if model.warp else LEAST_STEPS
    validated, examples = prepared.data["validated"], len(prepared.valid.inputs)
    return Job(
        model=model,
        loss=loss,
        batches=batches,
        validate=validate,
        validation_share=examples / len(train),
        best=best if validated and examples >= TELLING else None,
        higher=higher,
        unit="examples",
        lr=TEXT_RATE if text else NUMBERS_RATE,
        epochs=max(passes(len(train), tokens), -(-least // len(batches))),
        valid_every=0 if validated else FITTED_EVERY,
        measured="validation" if validated else "fit",
        guess=guess if examples else None,
    )


def description(model: nn.Module, prepared: Prepared[Any, Any, Any], what: str, held: str) -> str:
    """The line before training: examples, `what` is learned of them, what is read, parameters; `held` says how
    examples were held out."""
    data, reads, examples = prepared.data, prepared.codec.reads, len(prepared.valid.inputs)
    if not data["validated"]:
        where = "none held out (a tenth would say too little; give --valid FILE)"
    elif data["held_out"]:
        how = "held out" if isinstance(prepared.train, InShards) else held
        where = f"{examples:,} to validate on, {how}"
    else:
        few = " (too few to choose weights by: the last ones are kept)" if examples < TELLING else ""
        where = f"{examples:,} to validate on{few}"
    if reads.tokenizer is None:
        read = f"{len(reads.scale.mean)} channels"
    else:
        read = f"vocabulary {reads.tokenizer.size:,}{unknown_note(data)}"
    if (beyond := data.get("unknown_words")) is not None:
        pieces = {"char": "characters", "bpe": "pieces of words"}[reads.tokenizer.level]
        read += f" of {pieces}, as {beyond:.0%} of the words held out are unknown (--level says otherwise)"
    parameters = sum(p.numel() for p in model.parameters())
    return f"{count_of(prepared.train, 'examples')}, {where}; {what}, {read}, {parameters:,} parameters"


@torch.no_grad()
def outputs_of(model: nn.Module, inputs: Inputs, progress: Progress | None = None) -> npt.NDArray[np.float32]:
    """`[N, C]` what a `ManyToOne` says of each example, in their order; it is in eval mode."""
    lengths = [len(steps) for steps in inputs]
    found: dict[int, Tensor] = {}
    for rows in in_length_order(lengths, max(1, AT_ONCE // max(1, *lengths, 1))):
        batch = batch_of([inputs[row] for row in rows])
        found |= dict(zip(rows.tolist(), model(batch.inputs, **batch.arguments()).outputs, strict=True))
        if progress is not None:
            progress(len(found), len(inputs))
    return torch.stack([found[row] for row in range(len(inputs))]).numpy()


def codec_of(folder: RunFolder, config: Mapping[str, Any]) -> SequenceCodec:
    """What reads a run's data, as config.json and the folder have it.

    Raises:
        KeyError, TypeError: the configuration lacks something.
        DataError: the tokenizer is damaged.
    """
    columns = LabelledColumns(**config["columns"] | {"values": tuple(config["columns"]["values"])})
    scale = None
    if "scale" in config:
        scale = Scale(tuple(config["scale"]["mean"]), tuple(config["scale"]["deviation"]))
    tokenizer = Tokenizer.load(folder.tokenizer) if scale is None else None
    return SequenceCodec(columns, config["max_length"], tokenizer, scale)


def recorded(codec: SequenceCodec) -> dict[str, Any]:
    """What `codec_of` finds again in config.json."""
    found = {"max_length": codec.max_length, "columns": dataclasses.asdict(codec.columns)}
    return found | ({} if codec.scale is None else {"scale": dataclasses.asdict(codec.scale)})


def start_vectors(
    options: TrainSequences, codec: SequenceCodec, inputs: Inputs, progress: Progress | None
) -> npt.NDArray[np.float32] | None:
    """What the embedding starts from, learned of the encoded inputs to train on, `[V, E]`; None for random numbers."""
    wanted = options.sequence.word_vectors
    if codec.tokenizer is None or wanted == "random" or options.start.vectors is not None:
        return None
    if wanted == "auto" and (codec.tokenizer.level == "char" or sum(map(len, inputs)) < TELLING_TOKENS):
        return None
    width = options.model.embed or options.model.hidden
    found: npt.NDArray[np.float32] = word_vectors(inputs, codec.tokenizer.size, width, progress).numpy()
    return found


def passes(examples: int, tokens: int) -> int:
    """Epochs by default: as many as it takes to see `SEEN_EXAMPLES`, or `SEEN_TOKENS` of texts, whichever are more."""
    seen = max(SEEN_EXAMPLES / examples, SEEN_TOKENS / tokens if tokens else 0)
    return min(DEFAULT_EPOCHS, max(2, round(seen)))


def learn_codec(
    options: TrainSequences,
    columns: LabelledColumns,
    train: Raw,
    unseen: Raw | None,
    begun: Any = None,
) -> tuple[SequenceCodec, float | None]:
    """Tokenizer or scale for columns that the run is to read later; where words would not do, the share of them that is
    unknown, else None. How well words are known shows on `unseen` examples; None where there are none. Of a
    run that is `begun` with nothing is learned again that its codec `reads` by, or its vocabulary, of a language model.

    Raises:
        DataError: numbers, where a language model is begun with.
    """
    known: SequenceCodec | TextCodec | None = getattr(begun, "reads", begun)
    if isinstance(known, SequenceCodec):
        return dataclasses.replace(known, columns=columns), None
    limit = options.sequence.max_length
    if known is not None:
        if not isinstance(train.inputs[0], str):
            raise DataError(f"{train.name}: expected texts, as the language model of --from reads, got numbers")
        return SequenceCodec(columns, limit or MAX_LENGTH[known.tokenizer.level], known.tokenizer), None
    if not isinstance(train.inputs[0], str):
        return SequenceCodec(columns, limit, scale=Scale.of(train.inputs)), None
    level = options.tokens.level
    tokenizer, beyond = _tokenizer(options, "word" if level == "auto" else level, train), None
    most = UNKNOWN_WORDS_OF_FEW if unseen is None else UNKNOWN_WORDS
    if level == "auto" and (share := _unknown_words(options, tokenizer, train, unseen)) > most:
        words = sum(map(len, tokenizer.encode_all(train.inputs)))
        tokenizer, beyond = _tokenizer(options, "char" if words <= 2 * len(train) else "bpe", train), share
    return SequenceCodec(columns, limit or MAX_LENGTH[tokenizer.level], tokenizer), beyond


def _unknown_words(options: TrainSequences, words: Tokenizer, train: Raw, unseen: Raw | None) -> float:
    """Share of the words unknown in texts that the vocabulary was not learned from."""
    if unseen is None:
        if len(train) < 2:
            return 0.0
        rows, left = held_out(len(train), options.training.seed)
        words, unseen = _tokenizer(options, "word", selected(train, rows.tolist())), selected(train, left.tolist())
    return unknown_of(words.encode_all(unseen.inputs), words)["unknown"]


def _tokenizer(options: TrainSequences, level: Level, train: Raw) -> Tokenizer:
    tokens = options.tokens.at_level(level)
    size = VOCABULARY if level == "word" and tokens.vocab_size is None else tokens.vocab_limit
    try:
        return learn_from_texts(train.inputs, level, size, lowercase=options.sequence.lowercase)
    except DataError as error:
        raise DataError(f"{train.name}: {error}") from None


def warping(examples: int, lengths: Sequence[int]) -> float:
    """How much numbers are warped in training a classifier by default, of so many examples; `lengths` are of some."""
    return 1.0 if examples < ENOUGH and sum(lengths) >= WARPED_STEPS * len(lengths) else 0.0


def word_dropout(steps: float) -> float:
    """Share of the steps that training leaves out by default: the fewer the shorter texts are, on average."""
    return 0.3 * min(1.0, steps / REDUNDANT)


def sizes(
    options: TrainSequences,
    codec: SequenceCodec,
    lengths: Sequence[int],
    *,
    convolutions: int = 0,
    warp: float = 0.0,
) -> dict[str, Any]:
    """Arguments of `ManyToOne`, but for its number of outputs.

    Args:
        options: of the training.
        codec: what reads the data.
        lengths: steps of each sequence.
        convolutions: of numbers read both ways, where no option says; one way, each step has its answer.
        warp: of numbers, where no option says.

    Raises:
        ConfigError: convolutions or warping of texts.
    """
    model, reads_as = options.model, options.sequence
    reads: dict[str, Any] = {"embed_size": model.embed}
    if codec.tokenizer is not None:
        options.require_numbers()
        reads = {"vocab_size": codec.tokenizer.size, "embed_size": model.embed or model.hidden}
    elif codec.scale is not None:
        reads["features"] = len(codec.scale.mean)
        convolutions = convolutions if reads_as.bidirectional else 0
        reads["convolutions"] = convolutions if reads_as.convolutions is None else reads_as.convolutions
        reads["warp"] = warp if reads_as.warp is None else reads_as.warp
    dropped = reads_as.word_dropout
    if dropped is None:
        dropped = 0.0 if codec.tokenizer is None else word_dropout(sum(lengths) / len(lengths))
    return {
        **reads,
        "bidirectional": reads_as.bidirectional,
        "pooling": reads_as.pooling or ("max" if codec.tokenizer is None else "attention"),
        "word_dropout": dropped,
        **model.layer_settings(),
        "cell": model.cell or (DEFAULT_CELL_OF_NUMBERS if codec.tokenizer is None else DEFAULT_CELL),
    }
