"""Optimisers, courses of the learning rate, averages of the weights."""

from ostinato.optim.averaging import Average, PowerAverage, TriggeredAverage, make_average
from ostinato.optim.layerwise import LayerWise
from ostinato.optim.optimizers import (
    gradients_of,
    make_optimizer,
    take_step,
    takes_sparse,
    torchs_optimizer,
    total_norm,
)
from ostinato.optim.schedules import Cosine, Plateau, Schedule, Slanted, make_schedule

__all__ = [
    "Average",
    "Cosine",
    "LayerWise",
    "Plateau",
    "PowerAverage",
    "Schedule",
    "Slanted",
    "TriggeredAverage",
    "gradients_of",
    "make_average",
    "make_optimizer",
    "make_schedule",
    "take_step",
    "takes_sparse",
    "torchs_optimizer",
    "total_norm",
]
