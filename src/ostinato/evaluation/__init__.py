"""Metrics of trained models, by the rules of the contract."""

from ostinato.evaluation.likelihood import bits_per_character, perplexity
from ostinato.evaluation.spans import span_scores

__all__ = ["bits_per_character", "perplexity", "span_scores"]
