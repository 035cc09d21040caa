"""How well a tagger tags."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ostinato.core.batch import Batch
from ostinato.core.lengths import valid_steps
from ostinato.core.span_tags import Scheme
from ostinato.evaluation import evaluating
from ostinato.evaluation.spans import span_scores, tag_scores
from ostinato.layers.crf import Chain
from ostinato.tasks.tag.heads import TaggerOutput, decode_tags, tag_loss, tag_probabilities
from ostinato.tasks.tag.reading import UNKNOWN_TAG, WordSequences
from ostinato.training import Guess

#: Sentences tagged at once.
AT_ONCE = 64

#: A span F1 above this is no chance, nor is a loss below this share of what tags' shares alone would have.
SPANS_FOUND, LOSS_FOUND = 0.05, 0.97


def predict_tags(
    model: nn.Module,
    sequences: WordSequences,
    constraints: Chain | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.int64]:
    """The most probable tag of every word, `[words]` ids, by a tagger that is put into eval mode for it, under the
    constraints of what may follow what; `progress` is told the words done, and those in all."""
    tags = np.zeros(sequences.words, np.int64)
    _fill(model, sequences, lambda output, batch: decode_tags(output, constraints), tags, progress)
    return tags


def predict_with_loss(
    model: nn.Module, sequences: WordSequences, constraints: Chain | None = None
) -> tuple[npt.NDArray[np.int64], float]:
    """As `predict_tags`, and the mean loss in nats a word, as in training; unknown tags aside."""
    tags, losses, counts = np.zeros(sequences.words, np.int64), [0.0], [0]

    def answer(output: TaggerOutput, batch: Batch) -> torch.Tensor:
        known, words = _of_known_tags(batch)
        if words:
            losses.append(float(tag_loss(output, known)) * words)
            counts.append(words)
        return decode_tags(output, constraints)

    _fill(model, sequences, answer, tags, None)
    return tags, sum(losses) / max(sum(counts), 1)


def _of_known_tags(batch: Batch) -> tuple[Batch, int]:
    """A batch whose loss leaves out words with tags that the model does not know, and how many words are left."""
    known = batch.targets != UNKNOWN_TAG
    if bool(known.all()):
        return batch, batch.tokens
    left = batch.tokens - int((~known).sum())
    return replace(batch, targets=batch.targets.clamp(min=0), weights=known.float()), left


def predict_probabilities(model: nn.Module, sequences: WordSequences, num_tags: int) -> npt.NDArray[np.float32]:
    """The probability of each tag for every word, `[words, K]`; with a CRF, given the whole sentence."""
    probabilities = np.zeros((sequences.words, num_tags), np.float32)
    _fill(model, sequences, lambda output, batch: tag_probabilities(output), probabilities, None)
    return probabilities


def tag_names(ids: npt.NDArray[np.int64], names: Sequence[str], sentences: Sequence[Sequence[str]]) -> list[list[str]]:
    """Tags by name, sentence by sentence, from ids `[words]` as `predict_tags` gives them."""
    ends = np.cumsum([len(sentence) for sentence in sentences])
    return [[names[tag] for tag in part] for part in np.split(ids, ends)[: len(sentences)]]


def tagging_figures(
    right: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], scheme: Scheme | None = None
) -> dict[str, Any]:
    """The figures of `ostinato evaluate`, by the right tags of each sentence and those that a model gave.

    Returns:
        tokens, accuracy and, where the tags mark spans by a scheme, span_f1; distinct, the different tags given;
        constant_accuracy, that of the most frequent tag given to all.
    """
    pairs = list(zip(chain.from_iterable(right), chain.from_iterable(predicted), strict=True))
    agree = sum(one == other for one, other in pairs)
    figures = {"tokens": len(pairs), "accuracy": agree / max(len(pairs), 1)}
    if scheme is not None:
        figures["span_f1"] = span_scores(right, predicted, scheme)[""].f1
    figures["distinct"] = len({other for _, other in pairs})
    most = max(Counter(one for one, _ in pairs).values(), default=0)
    return figures | {"constant_accuracy": most / max(len(pairs), 1)}


def commonest_tag(train: npt.NDArray[np.int64], valid: Sequence[Sequence[str]], names: Sequence[str]) -> Guess:
    """The tag that most words trained on have, said of all; of spans a model that finds any does better.

    Args:
        train: `[words]` ids.
        valid: tags of each sentence to validate on, at least one.
        names: of the tags, by id.
    """
    shares = np.bincount(train, minlength=len(names)) / len(train)
    counts = Counter(chain.from_iterable(valid))
    tag, words = names[int(shares.argmax())], max(counts.total(), 1)
    right = counts[tag] / words
    loss = sum(-counts[name] * np.log(max(share, 1e-9)) for name, share in zip(names, shares, strict=True)) / words
    return Guess(
        "accuracy",
        right,
        f"always {tag!r}, the commonest tag",
        higher=True,
        spread=(right * (1 - right) / words) ** 0.5,
        above={"span_f1": SPANS_FOUND},
        below={"loss": LOSS_FOUND * float(loss)},
    )


def scores_by_type(
    right: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], scheme: Scheme | None = None
) -> dict[str, dict[str, Any]]:
    """Precision, recall, f1 and support of each kind of span, or of each tag where there is no scheme of spans."""
    if scheme is None:
        scores = tag_scores(chain.from_iterable(right), chain.from_iterable(predicted))
    else:
        scores = span_scores(right, predicted, scheme)
    return {kind: own._asdict() for kind, own in scores.items() if kind}


@torch.no_grad()
def _fill(
    model: nn.Module,
    sequences: WordSequences,
    answer: Callable[[TaggerOutput, Batch], torch.Tensor],
    into: npt.NDArray[Any],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Fill an array, a row a word, with answers `[T, N, ...]`."""
    done = 0
    with evaluating(model):
        for places, batch in sequences.in_length_order(AT_ONCE):
            found = answer(model(batch.inputs, **batch.arguments()), batch)
            assert batch.lengths is not None
            inside = valid_steps(batch.lengths, len(found))
            into[places] = found.transpose(0, 1)[inside.T].numpy()
            done += len(places)
            if progress is not None:
                progress(done, sequences.words)
