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


def sigm(z):
    """The logistic function."""
    return 1.0 / (1.0 + np.exp(-z))


def over_time(step, x, state, width):
    """Outputs [T, N, width] and final state of `step(x_t, *fields) -> (y_t, fields)`, one sequence at a time."""
    steps, batch, _features = x.shape
    outputs = np.zeros((steps, batch, width))
    last = [np.array(field) for field in state]
    for n in range(batch):
        fields = [field[n] for field in state]
        for t in range(steps):
            outputs[t, n], fields = step(x[t, n], *fields)
        for field, value in zip(last, fields, strict=True):
            field[n] = value
    return outputs, tuple(last)


def scan(a, b, start):
    """All h_t = a_t h_{t-1} + b_t at once, [T, N, H]: products of the a's, and sums over b's shares."""
    products = np.cumprod(a, axis=0)
    return products * (start + np.cumsum(b / products, axis=0))
