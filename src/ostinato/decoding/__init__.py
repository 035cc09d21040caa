"""From a model's scores to tokens, tags and what a series may become."""

from ostinato.decoding.sampling import choose, sample, uniform
from ostinato.decoding.search import Hypothesis, beam_search, best_sequences, greedy_search
from ostinato.decoding.tags import decode_tags, span_constraints, tag_probabilities

__all__ = [
    "Hypothesis",
    "beam_search",
    "best_sequences",
    "choose",
    "decode_tags",
    "greedy_search",
    "sample",
    "span_constraints",
    "tag_probabilities",
    "uniform",
]
