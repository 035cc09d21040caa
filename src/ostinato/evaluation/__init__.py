"""Metrics of trained models, by the rules of the contract."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ostinato.evaluation.spans import span_scores

__all__ = ["bits_per_character", "evaluating", "perplexity", "span_scores"]


def perplexity(loss: float) -> float:
    """E to the mean loss in nats: how many equally likely tokens the model wavers between."""
    return math.exp(min(loss, 700.0))


def bits_per_character(loss: float) -> float:
    """The mean loss in bits instead of nats, where a token is a character."""
    return loss / math.log(2)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within it a model is in eval mode; afterwards every module is as it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
