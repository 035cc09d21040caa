"""Optimisers, courses of the learning rate, averages of the weights."""

from ostinato.optim.averaging import PowerAverage
from ostinato.optim.optimizers import make_optimizer
from ostinato.optim.schedules import Constant, Cosine, Plateau, Schedule, make_schedule

__all__ = ["Constant", "Cosine", "Plateau", "PowerAverage", "Schedule", "make_optimizer", "make_schedule"]
