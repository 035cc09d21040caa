"""What stands between a sum and its gate, by name: Keras' and ONNX' activations, and their clip."""

import numpy as np


def squash(name, z):
    """An activation of z."""
    return {
        "tanh": lambda: np.tanh(z),
        "softsign": lambda: z / (1.0 + np.abs(z)),
        "sigmoid": lambda: 1.0 / (1.0 + np.exp(-z)),
        "hard_sigmoid": lambda: np.clip(z / 6.0 + 0.5, 0.0, 1.0),
    }[name]()


def bounded(clip):
    """What brings a sum within -clip and clip; None leaves it."""
    return (lambda z: z) if clip is None else (lambda z: np.clip(z, -clip, clip))
