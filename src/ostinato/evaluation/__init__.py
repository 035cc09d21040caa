"""Metrics of trained models, by the rules of the contract."""

from ostinato.evaluation.language import bits_per_character, evaluate_language_model, mean_loss, perplexity
from ostinato.evaluation.spans import span_scores

__all__ = ["bits_per_character", "evaluate_language_model", "mean_loss", "perplexity", "span_scores"]
