"""Masks of any pattern: the steps that count are moved together, so that every kernel runs them, and apart again."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato import kernels
from ostinato.core.errors import TensorError
from ostinato.core.lengths import per_sequence, valid_steps


class Gaps(NamedTuple):
    """Where the steps that count lie among all.

    A step that is left out changes no state, so a recurrent layer reads a sequence with gaps as it reads the sequence
    without them.

    Attributes:
        valid: `[T, N]`, False where a step is left out.
        so_far: `[T, N]`, the number of valid steps up to and with each.
    """

    valid: Tensor
    so_far: Tensor

    @classmethod
    def of(cls, valid: Tensor) -> "Gaps":
        """Those of a mask `[T, N]`."""
        return cls(valid, valid.long().cumsum(0))

    @property
    def lengths(self) -> Tensor:
        """`[N]`, the number of valid steps."""
        return self.valid.long().sum(0)

    def closed(self, x: Tensor) -> Tensor:
        """The valid steps of `[T, N, ...]` in their order, the others behind them."""
        steps = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
        order = torch.where(self.valid, steps, steps + x.shape[0]).argsort(0)
        return _taken(x, order)

    def closed_borders(self, before: Tensor) -> Tensor:
        """Flags `[T, N]` of what lies before each step, brought along with the valid steps: a border at a step that is
        left out lies before the next that is not."""
        so_far = self.closed(before.long().cumsum(0))
        return so_far > torch.cat((so_far.new_zeros(1, so_far.shape[1]), so_far))[:-1]

    def opened(self, output: Tensor, reverse: bool, hold: bool) -> Tensor:
        """Each output back at its step; at the others zero, or the last one before, in the direction of reading.

        Args:
            output: `[T, N, O]`, of sequences without gaps.
            reverse: they were read from the end to the start.
            hold: repeat the last output; zero before the first.
        """
        index, read = self._last_read(reverse)
        known = read if hold else self.valid
        return _taken(output, index).masked_fill(~per_sequence(known, output), 0)

    def opened_states(self, states: Any, start: Any, reverse: bool) -> Any:
        """The state after every step, which those that are left out do not change.

        Args:
            states: `[T, N, ...]` a field, of sequences without gaps.
            start: `[N, ...]` a field, before the first step.
            reverse: they were read from the end to the start.
        """
        index, read = self._last_read(reverse)
        fields = zip(states, start, strict=True)
        return type(states)(
            *(
                torch.where(per_sequence(read, field), _taken(field, index), before.to(field.dtype))
                for field, before in fields
            )
        )

    def _last_read(self, reverse: bool) -> tuple[Tensor, Tensor]:
        """`[T, N]` of each step: which valid step was the last one read, and whether there was one."""
        index = self.so_far - (self.valid.to(self.so_far.dtype) if reverse else 1)
        read = index < self.lengths if reverse else index >= 0
        return index.clamp(min=0), read


def _taken(x: Tensor, index: Tensor) -> Tensor:
    """`x[index[t, n], n]`, `[T, N, ...]`; as torch.take_along_dim, which exporters to ONNX have not."""
    return x.gather(0, per_sequence(index, x).expand(index.shape[0], *x.shape[1:]))


def from_mask(mask: Tensor, steps: int, batch_size: int) -> Gaps:
    """The gaps of a mask `[T, N]`.

    Raises:
        TensorError: another shape or dtype.
    """
    if mask.dtype != torch.bool:
        raise TensorError(f"expected a mask of torch.bool, True where a step counts, got {mask.dtype}: use mask.bool()")
    if tuple(mask.shape) != (steps, batch_size):
        raise TensorError(
            f"expected a mask of the input's steps and sequences, [T, N] = ({steps}, {batch_size}) once laid out "
            f"as the input, got {tuple(mask.shape)}"
        )
    return Gaps.of(mask)


def from_lengths(lengths: Tensor, steps: int) -> Gaps:
    """Those of sequences padded on the right."""
    return Gaps.of(valid_steps(lengths, steps))


def are_padding(gaps: Gaps) -> bool:
    """Whether they all lie at the end. Where a program is captured or transformed, or of no numbers, nobody can tell:
    False."""
    if kernels.is_captured() or kernels.is_transformed() or gaps.valid.is_meta:
        return False
    return torch.equal(gaps.valid, from_lengths(gaps.lengths, len(gaps.valid)).valid)
