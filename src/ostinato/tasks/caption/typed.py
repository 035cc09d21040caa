"""A caption that somebody types, as a captioner's decoder reads it, of one of the run's own pictures."""

from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import torch

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.pictures.captions import Captions, read_captions
from ostinato.data.pictures.views import Views, views_of
from ostinato.data.sources.encodings import read_as
from ostinato.decoding import best_sequences
from ostinato.inspection.observed import Observed, Typed
from ostinato.losses.cross_entropy import last_loss
from ostinato.tasks.caption.model import Captioner
from ostinato.tasks.trained import Trained


def typed(run: Trained, text: str) -> Typed:
    """A caption behind what its first token is predicted from, which is a step without a piece. The loss is that of the
    token that comes next; at the end of the caption, of the one that the model expects most.

    Raises:
        DataError: none of the pictures that the run was made of is there any more.
    """
    model, seen = cast(Captioner, run.model), _seen(run)
    ids, spans = run.tokenizer.encode_with_spans(text)
    row = torch.as_tensor(np.concatenate([[run.tokenizer.eos_id], ids]).astype(np.int64)).unsqueeze(1)
    spans = [(0, 0), *spans]
    inputs, lengths = seen[1].batch([seen[0]])
    modules = ("decoder.first", *["decoder.above"][: model.decoder.above is not None])

    def upto(steps: int) -> Observed:
        pieces = [text[begin:end] for begin, end in spans[:steps]]
        following = row[steps] if steps < len(row) else None
        arguments = {"lengths": lengths, "target_inputs": row[:steps]}
        return Observed(pieces, inputs, arguments, lambda output: last_loss(output, following),
                        "the loss of the last token", modules)  # fmt: skip

    return Typed(spans, upto)


def example(run: Trained) -> str:
    """What the model writes itself; empty where its pictures are not there any more."""
    try:
        name, views = _seen(run)
    except (DataError, ConfigError):
        return ""
    model, decoding = cast(Captioner, run.model), run.config["decoding"]
    never = set() if run.tokenizer.unk_id is None else {run.tokenizer.unk_id}
    with torch.no_grad():
        state = model.start(*views.batch([name]))
    (tokens,) = best_sequences(
        model.decoder.step, state, torch.full((1,), decoding["max_length"]), width=1, never=never
    )
    return str(run.tokenizer.decode(tokens)).strip()


def picture(run: Trained) -> Path | None:
    """The picture that is seen; None of features."""
    name, _ = _seen(run)
    folder = run.config["views"]["images"]
    return None if folder is None else Path(folder) / name


def _seen(run: Trained) -> tuple[str, Views]:
    """The first of the run's own pictures that is there, and what shows it."""
    views = views_of(**run.config["views"])
    (file,) = run.config["data"]["train"]["files"]
    for name in _captions(file, run.config["options"].get("encoding")).names:
        if views.usable([name])[0]:
            return name, views
    raise DataError(f"{file}: none of its pictures is there any more; the caption is read of one of them")


@lru_cache(maxsize=4)
def _captions(file: str, encoding: str | None) -> Captions:
    with read_as(encoding):
        return read_captions(file)
