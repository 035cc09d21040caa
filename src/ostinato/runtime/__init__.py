"""Trained layers where torch is not installed: the native kernels called from NumPy, forward only."""

from ostinato.runtime.loading import load
from ostinato.runtime.recurrent import Recurrent, Stream

__all__ = ["Recurrent", "Stream", "load"]
