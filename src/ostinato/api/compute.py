"""torch's process-wide settings, and where models are, for as long as a call lasts."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ostinato.core.accelerator import CPU, computing_on, resolve
from ostinato.kernels import graphs
from ostinato.layers.eight_bits import EightBitLinear


@contextmanager
def compute_settings(threads: int, precision: str, processes: int = 1, device: torch.device = CPU) -> Iterator[None]:
    """Set threads, the precision of matrix products and the device, and put back what was there.

    Args:
        threads: of this process; 0 means torch's choice, or an even share of the cores among several processes.
        precision: "highest", "high" or "medium".
        processes: that compute side by side.
        device: what tensors are made on.
    """
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    if not threads and processes > 1:
        threads = max(1, (os.cpu_count() or 1) // processes)
    if threads:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)
    try:
        with computing_on(device):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.set_float32_matmul_precision(before[1])


@contextmanager
def placed(models: Iterable[nn.Module], accelerator: str) -> Iterator[torch.device]:
    """Move models to where an accelerator's name says, and back to the CPU; within it torch makes tensors there too."""
    several = list(dict.fromkeys(models))
    eight_bits = any(isinstance(layer, EightBitLinear) for model in several for layer in model.modules())
    device = CPU if accelerator == "auto" and eight_bits else resolve(accelerator)
    if device == CPU:
        yield device
        return
    for model in several:
        model.to(device)
    try:
        with computing_on(device):
            yield device
    finally:
        graphs.recordings.forget()
        for model in several:
            model.to(CPU)
