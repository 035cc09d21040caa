"""What `inspect` sees of a language model: a text, gradients in several places of it, batches as in training."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.core.errors import ConfigError, DataError
from ostinato.core.kept_state import KeptState
from ostinato.data.batching.streams import Streams
from ostinato.data.sources.encodings import read_as
from ostinato.data.text.corpus import token_ids
from ostinato.data.text.reading import open_text
from ostinato.data.text.tokenizer import TokenIds
from ostinato.inspection.observed import Batches, Observed, ObservedText, Typed
from ostinato.losses import activation_penalty, sequence_cross_entropy
from ostinato.losses.cross_entropy import last_loss
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.lm.options import TRAINED_SHARE, SamplingOptions
from ostinato.tasks.lm.sampling import sample
from ostinato.tasks.trained import Trained

#: Places of a text that gradients are followed in.
WINDOWS = 16

#: Tokens of a text to begin with.
EXAMPLE = 80


def observe(run: Trained, source: str | None, steps: int) -> Observed:
    """The beginning of a text, behind what its first token is predicted from; the loss is that of its last token."""
    ids = text_ids(run, source, steps + 1)
    row = torch.as_tensor(np.concatenate([[run.tokenizer.begin_id], ids[:-1]]).astype(np.int64)).unsqueeze(1)
    return _observed(["", *run.tokenizer.pieces(ids[:-1])], row, {}, torch.tensor([int(ids[-1])]))


def typed(run: Trained, text: str) -> Typed:
    """A text behind what its first token is predicted from, which is a step without a piece. The loss is that of the
    token that comes next; at the end of the text, of the one that the model expects most."""
    ids, spans = run.tokenizer.encode_with_spans(text)
    row = torch.as_tensor(np.concatenate([[run.tokenizer.begin_id], ids]).astype(np.int64)).unsqueeze(1)
    spans = [(0, 0), *spans]

    def upto(steps: int) -> Observed:
        pieces = [text[begin:end] for begin, end in spans[:steps]]
        return _observed(pieces, row[:steps], {}, row[steps] if steps < len(row) else None)

    return Typed(spans, upto)


def example(run: Trained) -> str:
    """What the model writes itself."""
    assert isinstance(run.model, LanguageModel)
    tokenizer, how = run.tokenizer, SamplingOptions(temperature=0.7, seed=1)
    never = [tokenizer.begin_id, *([] if tokenizer.unk_id is None else [tokenizer.unk_id])]
    return str(tokenizer.decode(list(sample(run.model, [tokenizer.begin_id], EXAMPLE, how, never=never))))


def follow(run: Trained, model: nn.Module, source: str | None, steps: int) -> Observed:
    """Several places of a text side by side, read from the state of the steps in front of them where there are such."""
    ids = text_ids(run, source, 2 * WINDOWS * steps)
    streams = Streams(ids, max(1, min(WINDOWS, len(ids) // (2 * steps))), steps, run.tokenizer.begin_id)
    first = streams.piece(0)
    if len(streams) == 1 or len(streams.piece(1).inputs) < steps:
        return _observed([], first.inputs, {}, first.targets[-1])
    with torch.no_grad():
        state = tuple(copy.deepcopy(model).double()(first.inputs).state)
    batch = streams.piece(1)
    return _observed([], batch.inputs, {"state": state}, batch.targets[-1])


def _observed(pieces: list[str], inputs: Tensor, arguments: dict[str, Any], targets: Tensor | None) -> Observed:
    what = "the loss of the last token"
    return Observed(pieces, inputs, arguments, lambda output: last_loss(output, targets), what, ("recurrent", "last"))


def batches(run: Trained, source: str | None, count: int) -> Batches:
    """Batches of a text, as large as in training, with its penalties."""
    trained = run.config["options"]
    steps, batch = int(trained["steps"]), int(run.config.get("batch") or trained["batch"] or 32)
    ids = text_ids(run, source, count * batch * steps)
    batch = max(1, min(batch, len(ids) // (2 * steps)))
    streams, kept = Streams(ids, batch, steps, run.tokenizer.begin_id), KeptState()

    def loss(index: int) -> Tensor:
        piece = streams.piece(index)
        output = run.model(piece.inputs, kept.state)
        kept.keep(output.state)
        return sequence_cross_entropy(output, piece) + activation_penalty(output, trained["ar"], trained["tar"])

    return Batches(loss, min(count, len(streams)), float(trained["clip"]), f"{batch} x {steps} tokens")


def read_text(run: Trained, source: str | None, limit: int) -> ObservedText:
    """The beginning of a text."""
    ids, tokenizer = text_ids(run, source, limit), run.tokenizer
    return ObservedText(ids, tokenizer.pieces(ids), tokenizer.eos_id, tokenizer.unk_id, tokenizer.level == "char",
                        lambda token: str(tokenizer.decode([int(token)])))  # fmt: skip


def text_ids(run: Trained, source: str | None, limit: int) -> TokenIds:
    """The first token ids, two at least, of a text as `evaluate` takes it; without one, of what the run was validated
    on.

    Raises:
        ConfigError: no source, and the run was validated on what came from standard input.
        DataError: the text cannot be read, is too short, or is not what the run was validated on any more.
    """
    if source is not None:
        text = open_text([source])
    else:
        data = run.config["data"]
        files = [file for file in data["valid"]["files"] if file != "standard input"]
        if not files:
            raise ConfigError("--data: expected a file; no file with the run's own text is known")
        try:
            with read_as(run.config["options"].get("encoding")):
                text = open_text(files)
            if data["held_out"]:
                text = text.split(TRAINED_SHARE, at="character" if run.tokenizer.level == "char" else "line")[1]
        except DataError as error:
            raise DataError(f"the run's own text, {error}; give one with --data FILE") from None
        if text.digest != data["valid"]["sha256"]:
            raise DataError(
                f"{', '.join(files)}: no longer what the run was validated on; give a text with --data FILE"
            )
    ids = token_ids(text, run.tokenizer)[:limit]
    if len(ids) < 2:
        raise DataError(f"{', '.join(text.names)}: expected at least two tokens, got {len(ids)}")
    return ids
