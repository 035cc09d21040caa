"""How well a language model predicts a text."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from ostinato.core.batch import Batch
from ostinato.core.kept_state import KeptState
from ostinato.data.text.tokenizer import TokenIds
from ostinato.evaluation import bits_per_character, evaluating, perplexity
from ostinato.losses import sequence_cross_entropy
from ostinato.tasks.lm.adapting import adapting_loss
from ostinato.tasks.lm.options import AdaptingOptions
from ostinato.training import Guess

#: Tokens that a guess is counted from, at most.
COUNTED = 10_000_000


@torch.no_grad()
def mean_loss(model: nn.Module, pieces: Iterable[Batch], progress: Callable[[int], None] | None = None) -> float:
    """Mean loss in nats a token of pieces in order, the state carried from each to the next; the model must be in eval
    mode. `progress` is told the tokens done."""
    kept, total, tokens = KeptState(), 0.0, 0
    for batch in pieces:
        output = model(batch.inputs, kept.state)
        total += float(sequence_cross_entropy(output, batch)) * batch.tokens
        tokens += batch.tokens
        kept.keep(output.state)
        if progress is not None:
            progress(tokens)
    return total / tokens


def evaluate_language_model(
    model: nn.Module,
    pieces: Iterable[Batch],
    tokens: int,
    *,
    level: str,
    adapting: AdaptingOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """The figures of `ostinato evaluate`: of a whole text, so many tokens, as one stream whose first is predicted from
    `<eos>`.

    Returns:
        tokens, loss (nats a token), perplexity, at level char bits_per_character, and `dynamic` and `cache`, the
            settings
        of what was on where the model adapts to the text.
    """
    report = None if progress is None else lambda done: progress(done, tokens)
    used = adapting.settings_in_use() if adapting is not None else {}
    with evaluating(model):
        loss = adapting_loss(model, pieces, adapting, report) if adapting and used else mean_loss(model, pieces, report)
    figures = {"tokens": tokens, "loss": loss, "perplexity": perplexity(loss)}
    return figures | ({"bits_per_character": bits_per_character(loss)} if level == "char" else {}) | used


def by_frequency(train: TokenIds, valid: TokenIds, vocabulary: int) -> Guess:
    """Each token as likely as it is frequent, whatever stands in front of it: counted in what is trained on, one more
    than it occurs.

    Args:
        train: ids, of which the first `COUNTED` are counted.
        valid: ids to validate on, at least one.
        vocabulary: tokens that there are.
    """
    counts = np.bincount(train[:COUNTED], minlength=vocabulary) + 1.0
    loss = float(-np.log(counts / counts.sum())[np.asarray(valid)].mean())
    return Guess("loss", loss, "each token by how often it occurs")
