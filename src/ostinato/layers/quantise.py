"""A model's layers with weights of 8 bits."""

from torch import nn

from ostinato.kernels.eight_bits import INT8
from ostinato.layers.eight_bits import EightBitLinear
from ostinato.layers.recurrent import Recurrent

#: A linear layer with fewer weights stays as it is: it lies in the nearest cache, and takes no time.
FEWEST = 1 << 16


def quantise(model: nn.Module) -> None:
    """Let all recurrent layers of a model, and its large linear layers, have weights of 8 bits in evaluation.

    The parameters and their names stay. What an adaptive softmax is made of stays float32.

    Raises:
        ConfigError: a cell that has no such kernel; then nothing has changed.
    """
    layers = [module for module in model.modules() if isinstance(module, Recurrent)]
    before = [layer.weights for layer in layers]
    try:
        for layer in layers:
            layer.weights = INT8
    except Exception:
        for layer, weights in zip(layers, before, strict=True):
            layer.weights = weights
        raise
    for module in list(model.modules()):
        if isinstance(module, nn.AdaptiveLogSoftmaxWithLoss | nn.Sequential):
            continue
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear and child.weight.numel() >= FEWEST:
                setattr(module, name, EightBitLinear.of(child))
