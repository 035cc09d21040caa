"""A tagger's words, characters and tags, and which of these may follow each other; several taggers as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from ostinato.core.span_tags import BIO, Scheme, scheme_of
from ostinato.data.batching.buckets import in_length_order
from ostinato.layers.crf import FORBIDDEN, Chain
from ostinato.tasks.contract import Progress
from ostinato.tasks.tag.figures import AT_ONCE, predict_probabilities, predict_tags, tag_names
from ostinato.tasks.tag.heads import TaggerOutput, decode_tags
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


def tagged_together(
    run: Trained,
    sentences: Sequence[Sequence[str]],
    progress: Progress | None = None,
    features: Sequence[Sequence[Sequence[str]]] = (),
) -> list[list[str]]:
    """The tags of some sentences by an ensemble, whose members read by vocabularies of their own.

    What a chain has learned of neighbouring tags is in the marginals that are averaged; what a scheme of spans forbids
    is held to when tags are chosen.
    """
    tags = run.codec.vocabulary.tags
    each = []
    for done, member in enumerate(run.members, 1):
        own = member.codec.vocabulary
        sequences = WordSequences(sentences, own, features=features, longest=member.config["max_length"])
        found = predict_probabilities(member.model, sequences, len(own.tags))
        each.append(found[:, [own.tags.index(tag) for tag in tags]])
        if progress is not None:
            progress(done, len(run.members))
    mean = torch.as_tensor(np.mean(each, axis=0))
    logarithms = mean.clamp(min=torch.finfo(mean.dtype).tiny).log()
    lengths = [len(sentence) for sentence in sentences]
    ends, best_tags = np.cumsum(lengths), np.zeros(len(mean), np.int64)
    for rows in in_length_order(lengths, AT_ONCE):
        own_rows = [logarithms[ends[row] - lengths[row] : ends[row]] for row in rows]
        emissions = torch.nn.utils.rnn.pad_sequence(own_rows)
        output = TaggerOutput("softmax", emissions, torch.tensor([len(one) for one in own_rows]))
        best = decode_tags(output, run.codec.constraints).numpy()
        for column, row in enumerate(rows):
            best_tags[ends[row] - lengths[row] : ends[row]] = best[: lengths[row], column]
    return tag_names(best_tags, tags, sentences)
