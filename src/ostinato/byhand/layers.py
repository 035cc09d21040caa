"""Layers that know no time but as a second dimension of the batch: embedding, dropout, scores, loss."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Layer(Protocol):
    """What a model is made of.

    Attributes:
        params: the weights.
        grads: gradient of the loss by each of them, added to by `backward`.
    """

    params: list[Array]
    grads: list[Array]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the weights, in their order."""


class TimeEmbedding:
    """A row of the matrix for each word: y[n, t] = W[word[n, t]].

    Multiplying with a one-hot vector would give the same, at V times the work. Backward, a word's row collects the
    gradients from all of its places in the text.

    Args:
        W: `[V, D]`.
    """

    names = ("W",)

    def __init__(self, W: Array) -> None:
        self.params, self.grads = [W], [np.zeros_like(W)]

    def forward(self, words: Array) -> Array:
        """`[N, T]` words -> `[N, T, D]`."""
        self.words = words
        return self.params[0][words]

    def backward(self, dy: Array) -> None:
        """Nothing lies below: words have no gradient."""
        np.add.at(self.grads[0], self.words, dy)  # += would count a word that occurs twice once


class TimeAffine:
    """A score for each word at each step: y = x W + b.

    Args:
        W: `[H, V]`; of a model with tied weights the embedding's matrix, transposed.
        b: `[V]`.
        dW: where the gradient by W is added up; of its own where None.
    """

    names = ("W", "b")

    def __init__(self, W: Array, b: Array, dW: Array | None = None) -> None:
        self.params = [W, b]
        self.grads = [np.zeros_like(W) if dW is None else dW, np.zeros_like(b)]

    def forward(self, x: Array) -> Array:
        """`[N, T, H]` -> `[N, T, V]`."""
        W, b = self.params
        self.x = x
        return times(x, W) + b

    def backward(self, dy: Array) -> Array:
        """`[N, T, V]` -> `[N, T, H]`."""
        dW, db = self.grads
        dy_rows = rows(dy)
        dW += (dy_rows.T @ rows(self.x)).T  # x^T dy, laid out in memory as an embedding that is tied to W
        db += dy_rows.sum(axis=0)
        return times(dy, self.params[0].T)


class TimeDropout:
    """Sets a share of the numbers to zero while training, and makes up for it with the rest.

    It stands between layers, never on the way from step to step: there it would wear the memory away (Zaremba et al.
    2014).

    Args:
        ratio: the share.
        random: where the masks come from.
    """

    names: tuple[str, ...] = ()

    def __init__(self, ratio: float, random: np.random.Generator) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self.ratio, self.random = ratio, random
        self.mask: Array | None = None

    def forward(self, x: Array, train: bool = True) -> Array:
        """`[N, T, D]` -> the same shape; `x` itself where the model is not being trained."""
        self.mask = None
        if not (train and self.ratio):
            return x
        kept = self.random.random(x.shape, np.float32) >= self.ratio
        self.mask = kept / np.asarray(1 - self.ratio, x.dtype)
        return x * self.mask

    def backward(self, dy: Array) -> Array:
        """What was set to zero has no share in the loss."""
        return dy if self.mask is None else dy * self.mask


class TimeSoftmaxWithLoss:
    """The mean of -log p(word) over all steps, with p = softmax(scores).

    The two belong together because their derivative together is simple: p, less 1 at the word that came.

    Args:
        ignore: a target that stands for none, as where a sequence has ended before the others.
    """

    names: tuple[str, ...] = ()

    def __init__(self, ignore: int = -1) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self.ignore = ignore

    def forward(self, scores: Array, targets: Array) -> float:
        """`[N, T, V]` scores and `[N, T]` words -> the loss in nats a word."""
        self.shape, s, wanted = scores.shape, rows(scores), targets.reshape(-1)
        s = s - s.max(axis=1, keepdims=True)  # p stays the same, and exp cannot overflow
        (self.counted,) = np.nonzero(wanted != self.ignore)
        self.targets = wanted[self.counted]
        target_scores = s[self.counted, self.targets]
        e = np.exp(s)
        total = e.sum(axis=1)
        self.p = e / total[:, None]
        return float(np.sum(np.log(total[self.counted]) - target_scores)) / max(len(self.counted), 1)

    def backward(self) -> Array:
        """The gradient by the scores, `[N, T, V]`; once for each `forward`, as it is made of `p` itself."""
        dy = self.p  # a copy of the largest array there is would be a tenth of a small model's step
        dy[self.counted, self.targets] -= 1
        dy /= max(len(self.counted), 1)
        if len(self.counted) < len(dy):
            others = np.ones(len(dy), bool)
            others[self.counted] = False
            dy[others] = 0
        return dy.reshape(self.shape)


def rows(x: Array) -> Array:
    """`[N, T, D]` as a matrix of N * T rows: a sum over them is the sum over the steps."""
    return x.reshape(-1, x.shape[-1])


def times(x: Array, matrix: Array) -> Array:
    """`[N, T, A]` times `[A, B]`, as one product of N * T rows."""
    return (rows(x) @ matrix).reshape(*x.shape[:-1], -1)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without its overflow."""
    return 0.5 * np.tanh(0.5 * x) + 0.5
