"""An LSTM language model in NumPy alone, every derivative written out: to be read, and to be compared with.

Each class is a layer. `forward` computes, and remembers what its derivative will need; `backward` takes the gradient of
the loss by the layer's result and returns the gradient by its input. On the way it adds the gradients by the layer's
weights to `grads`. With y = f(x, W), and dy for dL/dy, that is all there is to know of a layer:

    dx = dy * df/dx        dW += dy * df/dW

A model is a list of layers: forward from the first to the last, backward from the last to the first. That is the chain
rule, and it is all of backpropagation.

**Through time.** A recurrent layer has the same weights at every step, so unrolled over T steps it is a net of T layers
that happen to be equal, and backpropagation needs nothing new. Two sums are all that time adds:

- `h_t` has two readers, the layer above and the next step. Its gradient is the sum of what both send back.
- the weights have T users, one a step. Their gradient is the sum over the steps. (A matrix that embedding and output
  layer share has two users, and the same sum: that is why gradients are added, never set.)

A text has no end, so the net is cut into pieces of T steps: the state goes on from each piece to the next, the gradient
does not. That is *truncated* backpropagation through time.

The layers are those of Saitoh, "Deep Learning from Scratch 2", chapters 5 and 6; names and order of the gates are
torch.nn.LSTM's. Shapes: T steps, N sequences, D inputs, H units, V words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


class Layer(Protocol):
    """What a model is made of.

    Attributes:
        params: weights by name.
        grads: gradient of the loss by each of them, added to by `backward`.
    """

    params: Arrays
    grads: Arrays

    def forward(self, x: Array) -> Array:
        """The layer's result."""

    def backward(self, dy: Array) -> Array:
        """From the gradient by the result to the gradient by `x`."""


class TimeEmbedding:
    """A row of the matrix for each word: y[t, n] = W[word[t, n]].

    Multiplying with a one-hot vector would give the same, at V times the work. Backward, a word's row collects the
    gradients from all of its places in the text.

    Args:
        W: `[V, D]`.
    """

    def __init__(self, W: Array) -> None:
        self.params, self.grads = {"weight": W}, {"weight": np.zeros_like(W)}

    def forward(self, x: Array) -> Array:
        """`[T, N]` words -> `[T, N, D]`."""
        self.words = x
        return self.params["weight"][x]

    def backward(self, dy: Array) -> Array:
        """Nothing lies below: words have no gradient."""
        np.add.at(self.grads["weight"], self.words, dy)  # += would count a word that occurs twice once
        return np.zeros(0, dy.dtype)


class Step(NamedTuple):
    """What a step of the LSTM leaves for its derivative, each `[N, H]`."""

    c_before: Array
    i: Array
    f: Array
    g: Array
    o: Array
    tanh_c: Array


class TimeLSTM:
    """The LSTM over T steps (Hochreiter, Schmidhuber 1997; forget gate by Gers et al. 2000).

        i, f, o = sigmoid(W x_t + U h_{t-1} + b)     what to write, to keep, to show: one block of rows each
        g       = tanh   (W x_t + U h_{t-1} + b)     what could be written
        c_t     = f * c_{t-1} + i * g
        h_t     = o * tanh(c_t)

    Look at the arrow from c_{t-1} to c_t: a product with f, entry by entry, and a sum. There is no matrix on it and no
    tanh, so where f is near 1 a gradient comes back through it as it went in, over hundreds of steps. The arrow from
    h_{t-1} to h_t has both, which shrink a gradient or blow it up at every step.

    Args:
        W: `[4H, D]`, rows in the order i, f, g, o.
        U: `[4H, H]`.
        b: `[4H]`.

    Attributes:
        state: h and c after the last step, `[N, H]` each: where the next piece begins. None begins at zeros.
    """

    def __init__(self, W: Array, U: Array, b: Array) -> None:
        self.params = {"weight_ih": W, "weight_hh": U, "bias": b}
        self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}
        self.state: tuple[Array, Array] | None = None

    def forward(self, x: Array) -> Array:
        """`[T, N, D]` -> every h_t, `[T, N, H]`."""
        (T, N, _), H = x.shape, self.params["weight_hh"].shape[1]
        h, c = self.state or (np.zeros((N, H), x.dtype), np.zeros((N, H), x.dtype))
        self.x, self.h_before = x, np.empty((T, N, H), x.dtype)
        self.steps: list[Step] = []
        out = np.empty((T, N, H), x.dtype)
        of_x = _times(x, self.params["weight_ih"].T) + self.params["bias"]  # waits for nothing: all steps at once
        for t in range(T):
            self.h_before[t] = h
            h, c = self._step(of_x[t], h, c)
            out[t] = h
        self.state = h, c
        return out

    def backward(self, dy: Array, watch: Callable[[int, Array, Array], None] | None = None) -> Array:
        """From the last step to the first.

        Args:
            dy: `[T, N, H]`, what the layer above sends back to each h_t.
            watch: called at each step with t, dL/dh_t and dL/dc_t, for who wants to look.

        Returns:
            `[T, N, D]`.
        """
        W, U = self.params["weight_ih"], self.params["weight_hh"]
        da = np.empty((*dy.shape[:2], len(W)), dy.dtype)
        dh = dc = np.zeros_like(dy[0])  # from the piece after this one comes nothing: here the gradient is cut
        for t in reversed(range(len(dy))):
            s = self.steps[t]
            dh = dy[t] + dh  # both readers of h_t: the layer above, and the step after
            dc = dc + dh * s.o * (1 - s.tanh_c**2)  # both readers of c_t: the step after, and h_t
            if watch is not None:
                watch(t, dh, dc)
            da[t], dc = self._step_back(s, dh, dc)
            dh = da[t] @ U
        rows = da.reshape(-1, len(W))  # a product over all of them is the sum over the steps
        self.grads["weight_ih"] += rows.T @ self.x.reshape(-1, W.shape[1])
        self.grads["weight_hh"] += rows.T @ self.h_before.reshape(-1, U.shape[1])
        self.grads["bias"] += rows.sum(axis=0)
        return _times(da, W)

    def _step(self, of_x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        """One step: h_{t-1} and c_{t-1} to h_t and c_t."""
        a = of_x + h @ self.params["weight_hh"].T
        i, f, g, o = np.split(a, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c_now = f * c + i * g
        tanh_c = np.tanh(c_now)
        self.steps.append(Step(c, i, f, g, o, tanh_c))
        return o * tanh_c, c_now

    def _step_back(self, s: Step, dh: Array, dc: Array) -> tuple[Array, Array]:
        """The same step backwards: dL/dh_t and dL/dc_t to dL/da_t, and to what step t sends back to c_{t-1}.

        Of a sigmoid s the derivative is s (1 - s), of a tanh it is 1 - tanh^2.
        """
        da = np.concatenate(
            [
                dc * s.g * s.i * (1 - s.i),
                dc * s.c_before * s.f * (1 - s.f),
                dc * s.i * (1 - s.g**2),
                dh * s.tanh_c * s.o * (1 - s.o),
            ],
            axis=1,
        )
        return da, dc * s.f


class TimeDropout:
    """Sets a share of the numbers to zero while training, and makes up for it with the rest.

    It stands between layers, never on the way from step to step: there it would wear the memory away (Zaremba et al.
    2014).

    Args:
        rate: the share.
        random: where the masks come from.
    """

    def __init__(self, rate: float, random: np.random.Generator) -> None:
        self.params: Arrays = {}
        self.grads: Arrays = {}
        self.rate, self.random, self.training = rate, random, True
        self.mask: Array | None = None

    def forward(self, x: Array) -> Array:
        """`[T, N, D]` -> the same shape."""
        self.mask = None
        if not (self.training and self.rate):
            return x
        self.mask = (self.random.random(x.shape, np.float32) >= self.rate) / np.asarray(1 - self.rate, x.dtype)
        return x * self.mask

    def backward(self, dy: Array) -> Array:
        """What was set to zero has no share in the loss."""
        return dy if self.mask is None else dy * self.mask


class TimeAffine:
    """A score for each word at each step: y = x W^T + b. Time is only a second dimension of the batch here.

    Args:
        W: `[V, H]`; may be the embedding's own matrix.
        b: `[V]`.
        dW: where the gradient by W is added up; of its own where None.
    """

    def __init__(self, W: Array, b: Array, dW: Array | None = None) -> None:
        self.params = {"weight": W, "bias": b}
        self.grads = {"weight": np.zeros_like(W) if dW is None else dW, "bias": np.zeros_like(b)}

    def forward(self, x: Array) -> Array:
        """`[T, N, H]` -> `[T, N, V]`."""
        self.x = x.reshape(-1, x.shape[-1])
        return (self.x @ self.params["weight"].T + self.params["bias"]).reshape(*x.shape[:-1], -1)

    def backward(self, dy: Array) -> Array:
        """`[T, N, V]` -> `[T, N, H]`."""
        rows = dy.reshape(-1, dy.shape[-1])
        self.grads["weight"] += rows.T @ self.x
        self.grads["bias"] += rows.sum(axis=0)
        return (rows @ self.params["weight"]).reshape(*dy.shape[:-1], -1)


class TimeSoftmaxWithLoss:
    """The mean of -log p(word) over all steps, with p = softmax(scores).

    The two belong together because their derivative together is simple: p, less 1 at the word that came.
    """

    def forward(self, scores: Array, targets: Array) -> float:
        """`[T, N, V]` scores and `[T, N]` words -> the loss in nats a word."""
        s = scores.reshape(-1, scores.shape[-1])
        s = s - s.max(axis=1, keepdims=True)  # p stays the same, and exp cannot overflow
        self.at = np.arange(len(s)), targets.reshape(-1)
        self.shape, target_scores = scores.shape, s[self.at]
        e = np.exp(s)
        total = e.sum(axis=1)
        self.p = e / total[:, None]
        return float(np.mean(np.log(total) - target_scores))

    def backward(self) -> Array:
        """The gradient by the scores, `[T, N, V]`."""
        dy = self.p
        dy[self.at] -= 1
        dy /= len(dy)
        return dy.reshape(self.shape)


class Rnnlm:
    """Embedding, LSTM layers, scores over the vocabulary: predicts each word from all before it.

    With one layer it is the book's Rnnlm. With two, dropout and one matrix for embedding and scores it is its
    BetterRnnlm.

    Args:
        vocab_size: V.
        embed_size: D.
        hidden_sizes: H of each LSTM layer, from the bottom up.
        dropout: share set to zero, below, between and above the LSTM layers.
        tied: let the scores use the embedding's matrix; needs D equal to the last H.
        dtype: of weights and sums.
        seed: of weights and masks.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_sizes: tuple[int, ...],
        *,
        dropout: float = 0.0,
        tied: bool = False,
        dtype: npt.DTypeLike = np.float32,
        seed: int = 1,
    ) -> None:
        random = np.random.default_rng(seed)

        def uniform(*shape: int, within: float) -> Array:
            return random.uniform(-within, within, shape).astype(dtype)

        self.embedding = TimeEmbedding(uniform(vocab_size, embed_size, within=0.1))
        self.lstms = []
        for D, H in zip((embed_size, *hidden_sizes), hidden_sizes, strict=False):
            W, U, b = (uniform(4 * H, *rest, within=H**-0.5) for rest in ((D,), (H,), ()))
            self.lstms.append(TimeLSTM(W, U, b))
        E, b = self.embedding, np.zeros(vocab_size, dtype)
        if tied:  # the same two arrays in both layers: each adds its part to the one gradient
            self.decoder = TimeAffine(E.params["weight"], b, E.grads["weight"])
        else:
            self.decoder = TimeAffine(uniform(vocab_size, hidden_sizes[-1], within=0.1), b)
        self.dropouts = [TimeDropout(dropout, random) for _ in range(len(self.lstms) + 1)]
        self.layers: list[Layer] = [self.embedding, self.dropouts[0]]
        for lstm, drop in zip(self.lstms, self.dropouts[1:], strict=True):
            self.layers += [lstm, drop]
        self.layers.append(self.decoder)
        self.loss = TimeSoftmaxWithLoss()

    def predict(self, words: Array) -> Array:
        """Scores of the word after each, `[T, N]` -> `[T, N, V]`; the state goes on from the call before."""
        x = words
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def forward(self, words: Array, targets: Array) -> float:
        """The loss in nats a word, words and targets `[T, N]`."""
        return self.loss.forward(self.predict(words), targets)

    def backward(self) -> None:
        """Afterwards `gradients` has those of the last `forward`."""
        for gradient in self.gradients().values():
            gradient[...] = 0
        dy = self.loss.backward()
        for layer in reversed(self.layers):
            dy = layer.backward(dy)

    def reset_state(self) -> None:
        """Begin with a new text."""
        for lstm in self.lstms:
            lstm.state = None

    def train(self, training: bool = True) -> None:
        """Dropout on or off."""
        for drop in self.dropouts:
            drop.training = training

    def parameters(self) -> Arrays:
        """The arrays themselves, by name, each once."""
        return self._each("params")

    def gradients(self) -> Arrays:
        """Those of `parameters`, under the same names."""
        return self._each("grads")

    def _each(self, kind: str) -> Arrays:
        layers = {"embedding": self.embedding, **{f"lstm{n}": lstm for n, lstm in enumerate(self.lstms)}}
        layers["decoder"] = self.decoder
        found: Arrays = {}
        for layer, owner in layers.items():
            for name, array in getattr(owner, kind).items():
                if not any(array is other for other in found.values()):
                    found[f"{layer}.{name}"] = array
        return found


class SGD:
    """W -= lr * dW, after the gradient as a whole has been cut to a length: one that explodes would undo everything.

    Args:
        lr: learning rate.
        clip: longest gradient over all weights; 0 means no limit.
    """

    def __init__(self, lr: float, clip: float = 0.0) -> None:
        self.lr, self.clip = lr, clip

    def update(self, params: Mapping[str, Array], grads: Mapping[str, Array]) -> float:
        """Change the weights; returns the gradient's length, as it was."""
        norm = float(np.sqrt(sum(float(np.vdot(g, g)) for g in grads.values())))
        factor = self.clip / norm if 0 < self.clip < norm else 1.0
        for name, param in params.items():
            param -= np.asarray(self.lr * factor, param.dtype) * grads[name]
        return norm


def _times(x: Array, matrix: Array) -> Array:
    """`[T, N, A]` times `[A, B]`, as one product of T * N rows."""
    return (x.reshape(-1, x.shape[-1]) @ matrix).reshape(*x.shape[:-1], -1)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without its overflow."""
    return 0.5 * np.tanh(0.5 * x) + 0.5
