"""What a transcriber writes, and how good that is."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ostinato.core.batch import Batch
from ostinato.data.batching.buckets import in_length_order
from ostinato.evaluation.edit_distance import edit_distance
from ostinato.losses.alignment import ctc_loss
from ostinato.runtime.alignment import Transcript, best_path, prefix_beam_search
from ostinato.tasks.contract import Progress
from ostinato.tasks.transcribe.data import Part, TranscribeCodec

#: Frames times sequences read at once, at most.
AT_ONCE = 64_000


@torch.no_grad()
def transcripts(model: nn.Module, part: Part, beam: int, progress: Progress | None = None) -> list[Transcript]:
    """What a model in eval mode writes of each sequence: of a beam of 1 along the best path."""
    found: dict[int, Transcript] = {}
    for rows in in_length_order(part.lengths, max(1, AT_ONCE // max(1, *part.lengths, 1))):
        batch = part.batch(rows)
        scores = model(batch.inputs, **batch.arguments()).logits.double().log_softmax(-1).numpy()
        for place, row in enumerate(rows.tolist()):
            own = scores[: part.lengths[row], place]
            found[row] = best_path(own) if beam == 1 else prefix_beam_search(own, beam)
        if progress is not None:
            progress(len(found), len(part.frames))
    return [found[row] for row in range(len(part.frames))]


def error_figures(written: Sequence[Sequence[str]], expected: Sequence[Sequence[str]]) -> dict[str, float]:
    """`error_rate` over all symbols expected, and `exact_match`, of symbols written and expected of each sequence."""
    errors = [edit_distance(own, there) for own, there in zip(written, expected, strict=True)]
    symbols = sum(map(len, expected))
    return {
        "error_rate": sum(errors) / max(symbols, 1),
        "exact_match": float(np.mean([error == 0 for error in errors])),
    }


@torch.no_grad()
def validation(model: nn.Module, part: Part, batches: Sequence[Batch], codec: TranscribeCodec) -> dict[str, float]:
    """The loss in nats a symbol, and the figures along the best paths."""
    total = sum(
        float(ctc_loss(model(b.inputs, **b.arguments()).logits, b.targets, _lengths(b))) * b.tokens for b in batches
    )
    said = [[codec.symbols[number - 1] for number in found.symbols] for found in transcripts(model, part, 1)]
    return {"loss": total / sum(batch.tokens for batch in batches), **error_figures(said, part.expected)}


def _lengths(batch: Batch) -> torch.Tensor:
    assert batch.lengths is not None  # of frames, always
    return batch.lengths
