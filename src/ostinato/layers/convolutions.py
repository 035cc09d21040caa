"""Convolutions over time in front of recurrent layers, each of which halves the steps."""

import torch
from torch import Tensor, nn

from ostinato.core.lengths import valid_steps

#: Outputs of each.
CHANNELS = 64

#: Steps that the first convolution looks at, and each behind it.
KERNELS = (7, 5)


def kernels_of(count: int) -> tuple[int, ...]:
    """Steps that each of so many convolutions looks at."""
    return tuple(KERNELS[min(number, len(KERNELS) - 1)] for number in range(count))


class Convolutions(nn.Module):
    """A stack of convolutions of stride 2 with rectified outputs, over sequences padded on the right.

        y_t = max(0, sum over j of W_j x_{2t + j - k // 2} + b),  t = 0 .. ceil(T / 2) - 1

    with zeros in front of a sequence and behind its end, wherever the padding ends: what a sequence becomes does not
    depend on those beside it. A smooth curve of hundreds of numbers becomes some tens of descriptions of a piece of it
    each, which recurrent layers learn from sooner, and read in a quarter of the time.

    Args:
        input_size: D.
        channels: C, of every convolution.
        count: how many.
    """

    def __init__(self, input_size: int, channels: int = CHANNELS, count: int = 2) -> None:
        super().__init__()
        widths = [input_size, *[channels] * count]
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, kernel, stride=2, padding=kernel // 2)
            for before, after, kernel in zip(widths, widths[1:], kernels_of(count), strict=False)
        )
        self.output_size = widths[-1]

    @property
    def stride(self) -> int:
        """Steps in for each that comes out."""
        return 2 ** len(self.layers)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """From `[T, N, D]`, of which `lengths` `[N]` steps are valid, to `[T', N, C]`, zeros beyond the new lengths
        `[N]`; of a sequence of length zero nothing."""
        x = _within(x, lengths)
        for layer in self.layers:
            x = layer(x.permute(1, 2, 0)).relu().permute(2, 0, 1)
            lengths = torch.div(lengths + 1, 2, rounding_mode="floor")
            x = _within(x, lengths)
        return x, lengths


def _within(x: Tensor, lengths: Tensor) -> Tensor:
    """Zeros beyond the lengths, whatever stands there."""
    return x.masked_fill(~valid_steps(lengths, x.shape[0]).unsqueeze(-1), 0.0)
