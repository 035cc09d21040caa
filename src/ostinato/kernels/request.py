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
    weights: str = "float32"

    def unfit(self) -> str | None:
        """Why nothing in the native library can run this, whatever the cell; None where it might."""
        if self.dtype not in (torch.float32, torch.bfloat16):
            return "only float32 and bfloat16"
        if self.device not in ("cpu", "meta"):
            return "only on the CPU"
        if self.transformed:
            return "no torch.func transform or forward-mode gradient"
        if self.learned_noise:
            return "no gradient by the noise"
        return "no ONNX" if self.onnx else None
