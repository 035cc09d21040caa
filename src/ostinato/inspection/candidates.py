"""What a language model expected along a text, and where its loss is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ostinato.inspection.arrays import Array, array
from ostinato.inspection.facts import KindFacts

#: Steps read at a time, and scores held at a time.
_AT_ONCE, _SCORES = 256, 4_000_000


@dataclass(frozen=True)
class Predictions:
    """At each token: what it cost, and what was thought likelier.

    Attributes:
        losses: `[T]`, -log p of the token that came, in nats.
        candidates: `[T, K]` token ids, the likeliest first.
        probabilities: `[T, K]` of the candidates.
    """

    losses: Array
    candidates: Array
    probabilities: Array


@torch.no_grad()
def predictions(model: nn.Module, ids: Sequence[int] | Array, *, start: int, top: int = 5) -> Predictions:
    """Read a text token by token as evaluation does: the state is carried, the first token is predicted from `start`.

    Args:
        model: a language model in eval mode, called with `(inputs [T, 1], state)`.
        ids: `[T]` token ids.
        start: id to predict the first from: `<eos>`.
        top: K, candidates to keep; no more than the vocabulary has.
    """
    device = next((parameter.device for parameter in model.parameters()), None)
    read = np.concatenate([[start], np.asarray(ids)]).astype(np.int64)
    tokens = torch.as_tensor(read, device=device).unsqueeze(1)
    losses, candidates, probabilities, state = [], [], [], None
    for begin in range(0, len(tokens) - 1, _AT_ONCE):
        end = min(begin + _AT_ONCE, len(tokens) - 1)
        output = model(tokens[begin:end], state)
        state = output.state
        targets, rows = tokens[begin + 1 : end + 1], max(1, _SCORES // output.vocab_size)
        for some in (slice(row, row + rows) for row in range(0, len(targets), rows)):
            logarithms = output._replace(hidden=output.hidden[some]).logits()[:, 0].double().log_softmax(-1)
            losses.append(-logarithms.gather(1, targets[some])[:, 0])
            best = logarithms.topk(min(top, logarithms.shape[-1]), dim=-1)
            candidates.append(best.indices)
            probabilities.append(best.values.exp())
    if not losses:
        return Predictions(np.zeros(0), np.zeros((0, top), np.int64), np.zeros((0, top)))
    return Predictions(*(array(torch.cat(part)) for part in (losses, candidates, probabilities)))


def kind(piece: str, before: str) -> str:
    """What kind of token this piece of text is, by the last character in front of it; empty at the beginning."""
    begins = not (before.isalnum() or before == "_")
    if "\n" in piece:
        return "line end"
    if piece.isspace():
        return "blank, indenting" if before in ("\n", "") else "blank"
    word = piece.strip()
    if not word:
        return "no text"
    if word[0].isdigit():
        return "digit"
    if word[0].isalpha() or word[0] == "_":
        return "begins a word" if begins or piece[0].isspace() else "within a word"
    return "punctuation"


def loss_by_kind(
    losses: Array, pieces: Sequence[str], unknown: Sequence[bool] | Array | None = None
) -> list[KindFacts]:
    """The loss of each kind of token, the largest share first; blanks at a line's beginning are a kind of their own.

    Args:
        losses: `[T]` in nats.
        pieces: the text of each token.
        unknown: `[T]`, which of them stand for what the vocabulary has not; a kind of their own.
    """
    kinds: list[str] = []
    before = ""
    for t, piece in enumerate(pieces):
        found = "unknown" if unknown is not None and unknown[t] else kind(piece, before)
        if found == "blank" and kinds and kinds[-1] == "blank, indenting":
            found = kinds[-1]
        kinds.append(found)
        before = piece[-1:] or before
    kind_of_each, total = np.array(kinds), max(float(losses.sum()), 1e-12)
    shares = []
    for name in dict.fromkeys(kinds):
        own = losses[kind_of_each == name]
        share = float(own.sum()) / total
        shares.append(KindFacts(kind=name, tokens=len(own), mean_loss=float(own.mean()), share=share))
    return sorted(shares, key=lambda share: -share.share)
