"""The one loop, and what stands around it: progress, metrics, the clock, interruption."""

from ostinato.checkpoint.position import Position
from ostinato.training.clock import Clock, Interrupt
from ostinato.training.job import Job
from ostinato.training.loop import Trainer
from ostinato.training.progress import Progress

__all__ = ["Clock", "Interrupt", "Job", "Position", "Progress", "Trainer"]
