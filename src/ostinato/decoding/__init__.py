"""From a model's scores to tokens and tags."""

from ostinato.decoding.sampling import choose, sample
from ostinato.decoding.tags import bio_constraints, decode_tags, tag_probabilities

__all__ = ["bio_constraints", "choose", "decode_tags", "sample", "tag_probabilities"]
