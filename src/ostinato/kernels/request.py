"""What an implementation is asked for."""

from typing import NamedTuple

import torch


class Request(NamedTuple):
    """All that decides which implementation can run."""

    dtype: torch.dtype
    device: str
    steps: int
    lengths: bool = False
    noise: bool = False
    keep_states: bool = False
    transformed: bool = False
    learned_noise: bool = False
    onnx: bool = False
    resets: bool = False
