"""Layers whose weights are of 8 bits, for inference."""

from functools import partial
from typing import Any

from torch import Tensor, nn

from ostinato import kernels
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.core.torch_private import version
from ostinato.kernels.eight_bits import INT8 as INT8
from ostinato.kernels.eight_bits import WEIGHTS as WEIGHTS
from ostinato.kernels.eight_bits import EightBits


class Weights:
    """The attribute `weights` of a recurrent layer: what they are in evaluation, "float32" or "int8".

    With "int8", in evaluation, the layer multiplies by rows of whole numbers of 8 bits, each row with a scale, and its
    inputs and states likewise: a quarter of the memory to read. The parameters stay as they are, and training uses
    them. Outputs then have no gradient.

    Raises:
        ConfigError: when it is set: something else, or a cell that has no such kernel.
    """

    def __get__(self, layer: Any, kind: type | None = None) -> Any:
        """What was set; the descriptor itself from the class."""
        return self if layer is None else layer.__dict__.get("_weights_of", WEIGHTS[0])

    def __set__(self, layer: Any, weights: str) -> None:
        """Check that every cell has it, and keep it."""
        check(layer.cells, weights)
        layer.__dict__["_weights_of"] = weights


def check(cells: Any, weights: str) -> None:
    """That all cells can have such weights.

    Raises:
        ConfigError: they cannot.
    """
    if weights not in WEIGHTS:
        raise ConfigError(unknown_name("weights", weights, WEIGHTS))
    for cell in cells if weights == INT8 else ():
        if why := kernels.eight_bits.refuses(cell):
            raise ConfigError(f"weights of 8 bits: {cell.name}: {why}")


def runner(layer: Any) -> Any:
    """Who takes the cells of a layer over a sequence, as it is set up."""
    if layer.weights == INT8 and not layer.training:
        return kernels.eight_bits.run
    return partial(kernels.run_recomputing, every=layer.recompute) if layer.recompute else kernels.run


class EightBitLinear(nn.Linear):
    """A linear layer that in evaluation multiplies by weights of 8 bits, made anew when a parameter has changed."""

    _made: tuple[Any, EightBits] | None = None

    @classmethod
    def of(cls, linear: nn.Linear) -> "EightBitLinear":
        """One with the same parameters."""
        made = cls(linear.in_features, linear.out_features, linear.bias is not None, device="meta")
        made.weight, made.bias = linear.weight, linear.bias
        return made.train(linear.training)

    def forward(self, input: Tensor) -> Tensor:
        """`[..., D]` to `[..., V]`.

        Raises:
            TensorError: in evaluation, an input of which a gradient would be wanted.
        """
        return super().forward(input) if self.training else self.eight_bits(input)

    def eight_bits(self, input: Tensor) -> Tensor:
        """As `forward` in evaluation."""
        own = [self.weight] if self.bias is None else [self.weight, self.bias]
        stamp = [(version(tensor), tensor.data_ptr()) for tensor in own if not tensor.is_inference()]
        if self._made is None or self._made[0] != stamp or len(stamp) < len(own):
            self._made = stamp, EightBits(self.weight, self.bias)
        return self._made[1](input)
