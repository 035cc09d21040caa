"""The one loop, and what stands around it: what it trains, the clock, interruption, processes, observers."""

from ostinato.checkpoint.position import Position
from ostinato.training.clock import Clock, Interrupt
from ostinato.training.events import Event, Observer
from ostinato.training.job import Guess, Job
from ostinato.training.loop import Trainer
from ostinato.training.metrics import MetricsFile
from ostinato.training.processes import ALONE, Processes

__all__ = [
    "ALONE",
    "Clock",
    "Event",
    "Guess",
    "Interrupt",
    "Job",
    "MetricsFile",
    "Observer",
    "Position",
    "Processes",
    "Trainer",
]
