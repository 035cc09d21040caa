"""Optimisers and courses of the learning rate, by name."""

from ostinato.optim.optimizers import make_optimizer
from ostinato.optim.schedules import Constant, Cosine, Plateau, Schedule, make_schedule

__all__ = ["Constant", "Cosine", "Plateau", "Schedule", "make_optimizer", "make_schedule"]
