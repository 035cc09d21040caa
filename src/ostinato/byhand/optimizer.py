"""Steps downhill, and what keeps them from being too long."""

import math
from collections.abc import Sequence

import numpy as np

from ostinato.byhand.layers import Array


class SGD:
    """W -= lr * dW.

    Args:
        lr: learning rate.
    """

    def __init__(self, lr: float = 0.01) -> None:
        self.lr = lr

    def update(self, params: Sequence[Array], grads: Sequence[Array]) -> None:
        """Change the weights, in place."""
        for param, grad in zip(params, grads, strict=True):
            param -= np.asarray(self.lr, param.dtype) * grad


class Adam:
    """Each weight has a step of its own: the mean of its gradients over the root of the mean of their squares.

        m = b1 m + (1 - b1) dW
        v = b2 v + (1 - b2) dW^2
        W -= lr * m' / (sqrt(v') + eps)      m' = m / (1 - b1^t), v' = v / (1 - b2^t): both means began at zero

    Kingma, Ba 2015, arXiv:1412.6980.

    Args:
        lr: learning rate.
        beta1: b1, how slowly the mean of the gradients forgets.
        beta2: b2, that of their squares.
        eps: keeps the quotient finite.
    """

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t = 0
        self.m: list[Array] = []
        self.v: list[Array] = []

    def update(self, params: Sequence[Array], grads: Sequence[Array]) -> None:
        """Change the weights, in place."""
        if not self.t:
            self.m, self.v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
        self.t += 1
        step = self.lr / (1 - self.beta1**self.t)
        root = math.sqrt(1 - self.beta2**self.t)
        for param, grad, m, v in zip(params, grads, self.m, self.v, strict=True):
            m += (1 - self.beta1) * (grad - m)
            v += (1 - self.beta2) * (grad**2 - v)
            param -= step * m / (np.sqrt(v) / root + self.eps)


def clip_grads(grads: Sequence[Array], max_norm: float) -> float:
    """Cut the gradient, as one vector of all weights, to a length: one that explodes would undo everything.

    Args:
        grads: changed in place where they are longer together.
        max_norm: longest that is left as it is; 0 means no limit.

    Returns:
        The length, as it was.
    """
    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in grads))
    if 0 < max_norm < norm:
        for grad in grads:
            grad *= np.asarray(max_norm / norm, grad.dtype)
    return norm
