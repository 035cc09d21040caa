"""Trained layers where torch is not installed: the native kernels called from NumPy, forward only."""

from ostinato.runtime.recurrent import Recurrent, Stream
from ostinato.runtime.weights import load

__all__ = ["Recurrent", "Stream", "load"]
