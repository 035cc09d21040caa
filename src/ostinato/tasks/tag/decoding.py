"""From a tagger's scores to tags: the best tag at each step, or the best sequence that keeps a scheme of spans."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ostinato.core.lengths import valid_steps
from ostinato.core.span_tags import BIO, Scheme
from ostinato.layers.crf import FORBIDDEN, Chain, best_path, marginals
from ostinato.tasks.tag.model import TaggerOutput


def span_constraints(tags: Sequence[str], scheme: Scheme = BIO) -> Chain:
    """Scores over K tags that forbid what a scheme does not know, 0 for what may be, `FORBIDDEN` for what may not; in
    BIO (IOB2) I-X in front, or behind anything but B-X and I-X."""
    chain = Chain(torch.zeros(len(tags)), torch.zeros(len(tags), len(tags)), torch.zeros(len(tags)))
    for later, tag in enumerate(tags):
        chain.start[later] = 0.0 if scheme.follows(None, tag) else FORBIDDEN
        chain.end[later] = 0.0 if scheme.follows(tag, None) else FORBIDDEN
        for earlier, before in enumerate(tags):
            chain.transitions[earlier, later] = 0.0 if scheme.follows(before, tag) else FORBIDDEN
    return chain


def decode_tags(output: TaggerOutput, constraints: Chain | None = None) -> Tensor:
    """The most probable tags, `[T, N]` ids, 0 beyond a length. Without a chain each step's tag is chosen by itself,
    unless constraints, those of `span_constraints`, tie them together."""
    if output.chain is not None:
        return best_path(output.emissions, output.chain.plus(constraints), output.lengths)
    if constraints is not None:
        # the product of the steps' probabilities: their logarithms, up to a constant, are the emissions
        return best_path(output.emissions, constraints, output.lengths)
    best = output.emissions.argmax(dim=2)
    if output.lengths is None:
        return best
    return best.where(valid_steps(output.lengths, len(best)), 0)


def tag_probabilities(output: TaggerOutput) -> Tensor:
    """p(tag) at each step, `[T, N, K]`: softmax, or the marginals of a CRF; zero beyond a length."""
    if output.chain is not None:
        return marginals(output.emissions, output.chain, output.lengths)
    each = output.emissions.softmax(dim=2)
    if output.lengths is None:
        return each
    return each.where(valid_steps(output.lengths, len(each)).unsqueeze(2), 0)
