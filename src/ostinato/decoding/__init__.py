"""From a model's scores to sequences of tokens."""

from ostinato.decoding.search import Hypothesis, beam_search, best_sequences, greedy_search

__all__ = ["Hypothesis", "beam_search", "best_sequences", "greedy_search"]
