"""A tagger's words, characters and tags, and which of these may follow each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch

from ostinato.core.span_tags import BIO, Scheme, scheme_of
from ostinato.layers.crf import FORBIDDEN, Chain
from ostinato.tasks.contract import Progress
from ostinato.tasks.tag.ensemble import tagged_together
from ostinato.tasks.tag.figures import predict_tags, tag_names
from ostinato.tasks.tag.model import Tagger
from ostinato.tasks.tag.reading import TagVocabulary, WordSequences
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


@dataclass(frozen=True)
class TagCodec:
    """Words to ids, and ids to tags; with what the tags' scheme forbids, unless they mark no spans or the training data
    did not keep to it."""

    vocabulary: TagVocabulary
    constraints: Chain | None

    @classmethod
    def of(cls, vocabulary: TagVocabulary, *, constrained: bool) -> Self:
        """With the constraints of the scheme that the tags have, where it is to be kept."""
        scheme = scheme_of(vocabulary.tags)
        return cls(vocabulary, span_constraints(vocabulary.tags, scheme) if scheme and constrained else None)

    def tag(
        self,
        run: Trained,
        sentences: Sequence[Sequence[str]],
        progress: Progress | None = None,
        features: Sequence[Sequence[Sequence[str]]] = (),
    ) -> list[list[str]]:
        """The tags of some sentences; of an ensemble, those of its mean probabilities."""
        if run.members:
            return tagged_together(run, sentences, progress, features)
        longest = run.config["max_length"]
        sequences = WordSequences(sentences, self.vocabulary, features=features, longest=longest)
        return tag_names(
            predict_tags(run.model, sequences, self.constraints, progress), self.vocabulary.tags, sentences
        )
