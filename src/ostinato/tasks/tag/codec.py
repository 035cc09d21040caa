"""A tagger's words, characters and tags."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ostinato.core.span_tags import scheme_of
from ostinato.layers.crf import Chain
from ostinato.tasks.contract import Progress
from ostinato.tasks.tag.decoding import span_constraints
from ostinato.tasks.tag.ensemble import tagged_together
from ostinato.tasks.tag.figures import predict_tags, tag_names
from ostinato.tasks.tag.reading import TagVocabulary, WordSequences
from ostinato.tasks.trained import Trained


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
