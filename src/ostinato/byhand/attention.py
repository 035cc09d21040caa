"""Attention: a decoder's step looks at all that the encoder has read, and takes more of what resembles it."""

import numpy as np

from ostinato.byhand.layers import Array


class AttentionWeight:
    """How much each decoder step looks at each encoder step: a[n, t, s] = softmax over s of hs[n, s] . h[n, t].

    The score is the product of both states, nothing is learnt (Luong et al. 2015, "dot").
    """

    def forward(self, hs: Array, h: Array) -> Array:
        """Encoder's `[N, S, H]` and decoder's `[N, T, H]` -> weights `[N, T, S]`, whose sum over S is 1."""
        self.hs, self.h = hs, h
        scores = h @ hs.transpose(0, 2, 1)
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        self.a = e / e.sum(axis=-1, keepdims=True)
        return self.a

    def backward(self, da: Array) -> tuple[Array, Array]:
        """`[N, T, S]` -> the gradients by `hs` and by `h`."""
        back = self.a * da
        ds = back - self.a * back.sum(axis=-1, keepdims=True)  # of a softmax: a (da - sum of a da)
        return ds.transpose(0, 2, 1) @ self.h, ds @ self.hs


class WeightSum:
    """The encoder's states, added up by their weights: c[n, t] = sum over s of a[n, t, s] hs[n, s]."""

    def forward(self, hs: Array, a: Array) -> Array:
        """`[N, S, H]` and `[N, T, S]` -> contexts `[N, T, H]`."""
        self.hs, self.a = hs, a
        return a @ hs

    def backward(self, dc: Array) -> tuple[Array, Array]:
        """`[N, T, H]` -> the gradients by `hs` and by `a`."""
        return self.a.transpose(0, 2, 1) @ dc, dc @ self.hs.transpose(0, 2, 1)


class Attention:
    """Weights, and the sum by them. The encoder's states are used twice: their gradient is a sum of two.

    Attributes:
        attention_weight: `[N, T, S]` of the last `forward`, to look at.
    """

    names: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self._weight, self._sum = AttentionWeight(), WeightSum()

    def forward(self, hs: Array, h: Array) -> Array:
        """Encoder's `[N, S, H]` and decoder's `[N, T, H]` -> contexts `[N, T, H]`."""
        self.attention_weight = self._weight.forward(hs, h)
        return self._sum.forward(hs, self.attention_weight)

    def backward(self, dc: Array) -> tuple[Array, Array]:
        """`[N, T, H]` -> the gradients by `hs` and by `h`."""
        by_sum, da = self._sum.backward(dc)
        by_weight, dh = self._weight.backward(da)
        return by_sum + by_weight, dh


#: No step waits for the one before, so all of them are done at once, and the layer over time is the layer itself.
TimeAttention = Attention
