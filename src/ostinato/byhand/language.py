"""Language models: each word is predicted from all before it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ostinato.byhand.gated import TimeLSTM
from ostinato.byhand.layers import Array, TimeAffine, TimeDropout, TimeEmbedding, TimeSoftmaxWithLoss
from ostinato.byhand.model import Model, Weights


class LanguageModel(Model):
    """Embedding, LSTM layers, scores over the vocabulary.

    Args:
        vocab_size: V.
        wordvec_size: D, the width of the embedding.
        hidden_sizes: H of each LSTM layer, from the bottom up.
        dropout_ratio: share set to zero, below, between and above the LSTM layers.
        tied: let the scores use the embedding's matrix; needs D equal to the last H.
        dtype: of weights and sums.
        seed: of weights and masks.
    """

    def __init__(
        self,
        vocab_size: int,
        wordvec_size: int,
        hidden_sizes: Sequence[int],
        *,
        dropout_ratio: float = 0.0,
        tied: bool = False,
        dtype: npt.DTypeLike = np.float32,
        seed: int = 1,
    ) -> None:
        if tied and wordvec_size != hidden_sizes[-1]:
            raise ValueError(f"tied weights: expected an embedding of {hidden_sizes[-1]}, got {wordvec_size}")
        random = np.random.default_rng(seed)
        weights = Weights(random, dtype)
        self.embed = TimeEmbedding(weights.embedding(vocab_size, wordvec_size))
        self.lstms: list[TimeLSTM] = []
        for D, H in zip((wordvec_size, *hidden_sizes), hidden_sizes, strict=False):
            self.lstms.append(TimeLSTM(*weights.recurrent(D, H, gates=4), stateful=True))
        if tied:  # a view of the same matrix in both layers: each adds its part to the one gradient
            (W,), (dW,) = self.embed.params, self.embed.grads
            self.affine = TimeAffine(W.T, np.zeros(vocab_size, dtype), dW.T)
        else:
            self.affine = TimeAffine(*weights.affine(hidden_sizes[-1], vocab_size))
        self.dropouts = [TimeDropout(dropout_ratio, random) for _ in range(len(self.lstms) + 1)]
        self.loss = TimeSoftmaxWithLoss()
        numbered = {f"lstm{n if n > 1 else ''}": lstm for n, lstm in enumerate(self.lstms, start=1)}
        super().__init__({"embed": self.embed, **numbered, "affine": self.affine})

    def predict(self, words: Array, train: bool = False) -> Array:
        """Scores of the word after each, `[N, T]` -> `[N, T, V]`; the state goes on from the call before."""
        x = self.dropouts[0].forward(self.embed.forward(words), train)
        for lstm, dropout in zip(self.lstms, self.dropouts[1:], strict=True):
            x = dropout.forward(lstm.forward(x), train)
        return self.affine.forward(x)

    def forward(self, words: Array, targets: Array, train: bool = True) -> float:
        """The loss in nats a word, words and targets `[N, T]`."""
        return self.loss.forward(self.predict(words, train), targets)

    def backward(self) -> None:
        """Afterwards `grads` has the gradients of the last `forward`."""
        self.zero_grads()
        dx = self.affine.backward(self.loss.backward())
        for lstm, dropout in zip(reversed(self.lstms), reversed(self.dropouts[1:]), strict=True):
            dx = lstm.backward(dropout.backward(dx))
        self.embed.backward(self.dropouts[0].backward(dx))

    def reset_state(self) -> None:
        """Begin with a new text."""
        for lstm in self.lstms:
            lstm.reset_state()

    def generate(
        self,
        start: Sequence[int],
        length: int,
        *,
        skip: Sequence[int] = (),
        temperature: float = 1.0,
        seed: int | None = None,
    ) -> list[int]:
        """Write on: each word is drawn by its probability, and is the next one's input.

        Args:
            start: words to begin with, at least one.
            length: how many to write.
            skip: words that are never written.
            temperature: scores are divided by it: below 1 bolder, above 1 more varied. 0 takes the likeliest.
            seed: of the draws.

        Returns:
            The words written, without `start`.
        """
        random, written = np.random.default_rng(seed), list[int]()
        self.reset_state()
        scores = self.predict(np.array([start]))[0, -1]
        for _ in range(length):
            scores[list(skip)] = -np.inf
            written.append(int(_draw(scores, temperature, random)))
            scores = self.predict(np.array([[written[-1]]]))[0, -1]
        self.reset_state()
        return written


class Rnnlm(LanguageModel):
    """One LSTM layer: the book's chapter 6.

    Args:
        vocab_size: V.
        wordvec_size: D.
        hidden_size: H.
        dtype: of weights and sums.
        seed: of the weights.
    """

    def __init__(
        self,
        vocab_size: int = 10_000,
        wordvec_size: int = 100,
        hidden_size: int = 100,
        *,
        dtype: npt.DTypeLike = np.float32,
        seed: int = 1,
    ) -> None:
        super().__init__(vocab_size, wordvec_size, [hidden_size], dtype=dtype, seed=seed)


class BetterRnnlm(LanguageModel):
    """Two layers, dropout, and one matrix for embedding and scores (Zaremba et al. 2014; Press, Wolf 2017).

    Args:
        vocab_size: V.
        wordvec_size: D, and H.
        dropout_ratio: share set to zero between layers.
        dtype: of weights and sums.
        seed: of weights and masks.
    """

    def __init__(
        self,
        vocab_size: int = 10_000,
        wordvec_size: int = 650,
        dropout_ratio: float = 0.5,
        *,
        dtype: npt.DTypeLike = np.float32,
        seed: int = 1,
    ) -> None:
        super().__init__(
            vocab_size,
            wordvec_size,
            [wordvec_size] * 2,
            dropout_ratio=dropout_ratio,
            tied=True,
            dtype=dtype,
            seed=seed,
        )


def pieces(ids: Array, batch: int, steps: int) -> list[tuple[Array, Array]]:
    """A text cut for truncated backpropagation: words `[N, T]` and the words after them.

    The text is laid out in N streams, and each piece goes on, stream by stream, where the one before ended.

    Args:
        ids: the text, `[L]`.
        batch: N.
        steps: T.
    """
    length = (len(ids) - 1) // batch
    words, after = (ids[shift : shift + batch * length].reshape(batch, length) for shift in (0, 1))
    return [(words[:, t : t + steps], after[:, t : t + steps]) for t in range(0, length - steps + 1, steps)]


def _draw(scores: Array, temperature: float, random: np.random.Generator) -> int:
    if not temperature:
        return int(scores.argmax())
    p = np.exp((scores - scores.max()).astype(np.float64) / temperature)
    return int(random.choice(len(p), p=p / p.sum()))
