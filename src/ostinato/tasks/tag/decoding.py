"""From a tagger's scores to tags: the best tag at each step, or the best sequence that keeps a scheme of spans."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ostinato.core.span_tags import BIO, Scheme
from ostinato.layers.crf import FORBIDDEN, Chain
from ostinato.tasks.tag import heads
from ostinato.tasks.tag.model import Tagger
from ostinato.tasks.trained import Trained


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


def chain_of(run: Trained) -> Chain | None:
    """The scores of neighbouring tags that a run goes by: learned ones, and what the tags' scheme forbids."""
    assert isinstance(run.model, Tagger)
    learned, allowed = getattr(run.model, run.model.head), run.codec.constraints
    found: Chain | None = allowed if learned is None else learned.chain().plus(allowed)
    return found


def decode_tags(output: heads.TaggerOutput, constraints: Chain | None = None) -> Tensor:
    """The most probable tags, `[T, N]` ids, 0 beyond a length; with constraints, those of `span_constraints`, the most
    probable that keep them."""
    return heads.find(output.head).decode(output, constraints)


def tag_probabilities(output: heads.TaggerOutput) -> Tensor:
    """p(tag) at each step, `[T, N, K]`: softmax, or the marginals of a CRF; zero beyond a length."""
    return heads.find(output.head).probabilities(output)
