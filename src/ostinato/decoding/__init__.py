"""From a model's probabilities to tokens."""

from ostinato.decoding.sampling import choose, sample

__all__ = ["choose", "sample"]
