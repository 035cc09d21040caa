"""Words for what goes wrong: one struct for a piece of advice, and those who look for what to say."""

from ostinato.advice.adviser import Adviser
from ostinato.advice.finite import explain
from ostinato.core.advice import Advice

__all__ = ["Advice", "Adviser", "explain"]
