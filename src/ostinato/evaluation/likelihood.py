"""A mean loss in nats, as figures that people read."""

import math


def perplexity(loss: float) -> float:
    """E to the mean loss in nats: how many equally likely tokens the model wavers between."""
    return math.exp(min(loss, 700.0))


def bits_per_character(loss: float) -> float:
    """The mean loss in bits instead of nats, where a token is a character."""
    return loss / math.log(2)
