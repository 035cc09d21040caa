"""One sequence to another: an encoder reads, a decoder writes. Three decoders, the book's chapters 7 and 8.

plain       the encoder's last h is the decoder's first; all that was read has to fit in there
peeky       every step of the decoder sees that h again
attention   every step sees a sum of all of the encoder's states, weighted by how they resemble its own
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from ostinato.byhand.attention import TimeAttention
from ostinato.byhand.gated import TimeLSTM
from ostinato.byhand.layers import Array, Layer, TimeAffine, TimeEmbedding, TimeSoftmaxWithLoss
from ostinato.byhand.model import Model, Weights


class Encoder:
    """Reads: every h_s, `[N, S, H]`.

    Args:
        V: words.
        D: width of the embedding.
        H: units.
        weights: where they come from.
    """

    def __init__(self, V: int, D: int, H: int, weights: Weights) -> None:
        self.embed = TimeEmbedding(weights.embedding(V, D))
        self.lstm = TimeLSTM(*weights.recurrent(D, H, gates=4))
        self.layers: dict[str, Layer] = {"embed": self.embed, "lstm": self.lstm}

    def forward(self, words: Array) -> Array:
        """`[N, S]` -> `[N, S, H]`."""
        return self.lstm.forward(self.embed.forward(words))

    def backward(self, dhs: Array) -> None:
        """`[N, S, H]`: what the decoder sends back."""
        self.embed.backward(self.lstm.backward(dhs))


class Decoder(Protocol):
    """Writes: scores of the next word at each step.

    Attributes:
        layers: by name.
        lstm: whose state is the decoder's.
    """

    layers: dict[str, Layer]
    lstm: TimeLSTM

    def forward(self, words: Array, hs: Array) -> Array:
        """Words `[N, T]` and the encoder's states `[N, S, H]` -> `[N, T, V]`; the state is `lstm`'s."""

    def backward(self, dy: Array) -> Array:
        """`[N, T, V]` -> the gradient by `hs`, but for the first state's."""


class PlainDecoder:
    """Embedding, LSTM, scores: knows of the encoder by its first state only.

    Args:
        V: words.
        D: width of the embedding.
        H: units.
        weights: where they come from.
    """

    def __init__(self, V: int, D: int, H: int, weights: Weights) -> None:
        self.embed = TimeEmbedding(weights.embedding(V, D))
        self.lstm = TimeLSTM(*weights.recurrent(D, H, gates=4), stateful=True)
        self.affine = TimeAffine(*weights.affine(H, V))
        self.layers: dict[str, Layer] = {"embed": self.embed, "lstm": self.lstm, "affine": self.affine}

    def forward(self, words: Array, hs: Array) -> Array:
        """`[N, T]` -> `[N, T, V]`."""
        self.hs = hs
        return self.affine.forward(self.lstm.forward(self.embed.forward(words)))

    def backward(self, dy: Array) -> Array:
        """`[N, T, V]` -> zeros: nothing of `hs` was looked at."""
        self.embed.backward(self.lstm.backward(self.affine.backward(dy)))
        return np.zeros_like(self.hs)


class PeekyDecoder:
    """The encoder's last h stands before the input of LSTM and scores, at every step.

    Args:
        V: words.
        D: width of the embedding.
        H: units.
        weights: where they come from.
    """

    def __init__(self, V: int, D: int, H: int, weights: Weights) -> None:
        self.embed = TimeEmbedding(weights.embedding(V, D))
        self.lstm = TimeLSTM(*weights.recurrent(H + D, H, gates=4), stateful=True)
        self.affine = TimeAffine(*weights.affine(2 * H, V))
        self.layers: dict[str, Layer] = {"embed": self.embed, "lstm": self.lstm, "affine": self.affine}

    def forward(self, words: Array, hs: Array) -> Array:
        """`[N, T]` and `[N, S, H]` -> `[N, T, V]`."""
        self.hs = hs
        peek = np.repeat(hs[:, -1:], words.shape[1], axis=1)
        x = np.concatenate([peek, self.embed.forward(words)], axis=2)
        return self.affine.forward(np.concatenate([peek, self.lstm.forward(x)], axis=2))

    def backward(self, dy: Array) -> Array:
        """`[N, T, V]` -> the gradient by `hs`: all at its last step, which was used twice at each of the T."""
        H = self.hs.shape[2]
        dx = self.affine.backward(dy)
        by_scores, dx = dx[..., :H], self.lstm.backward(dx[..., H:])
        by_lstm, dx = dx[..., :H], dx[..., H:]
        self.embed.backward(dx)
        dhs = np.zeros_like(self.hs)
        dhs[:, -1] = (by_scores + by_lstm).sum(axis=1)
        return dhs


class AttentionDecoder:
    """A context stands before the input of the scores: what the encoder read, as far as it matters at this step.

    Args:
        V: words.
        D: width of the embedding.
        H: units.
        weights: where they come from.

    Attributes:
        attention: `attention.attention_weight` [N, T, S] says where each step looked.
    """

    def __init__(self, V: int, D: int, H: int, weights: Weights) -> None:
        self.embed = TimeEmbedding(weights.embedding(V, D))
        self.lstm = TimeLSTM(*weights.recurrent(D, H, gates=4), stateful=True)
        self.attention = TimeAttention()
        self.affine = TimeAffine(*weights.affine(2 * H, V))
        self.layers: dict[str, Layer] = {"embed": self.embed, "lstm": self.lstm, "affine": self.affine}

    def forward(self, words: Array, hs: Array) -> Array:
        """`[N, T]` and `[N, S, H]` -> `[N, T, V]`."""
        h = self.lstm.forward(self.embed.forward(words))
        return self.affine.forward(np.concatenate([self.attention.forward(hs, h), h], axis=2))

    def backward(self, dy: Array) -> Array:
        """`[N, T, V]` -> the gradient by `hs`."""
        dx = self.affine.backward(dy)
        H = dx.shape[2] // 2
        dhs, dh = self.attention.backward(dx[..., :H])
        self.embed.backward(self.lstm.backward(dx[..., H:] + dh))
        return dhs


class EncoderDecoder(Model):
    """An encoder, and one of the decoders.

    Args:
        encoder: reads.
        decoder: writes.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        self.encoder, self.decoder, self.loss = encoder, decoder, TimeSoftmaxWithLoss()
        parts = {"encoder": encoder.layers, "decoder": decoder.layers}
        super().__init__({f"{part}.{name}": layer for part, layers in parts.items() for name, layer in layers.items()})

    def forward(self, questions: Array, answers: Array) -> float:
        """The loss in nats a word. While training the decoder reads the right answer, not its own (teacher forcing).

        Args:
            questions: `[N, S]`.
            answers: `[N, T]`, each with the word that begins it; -1 behind its end is not counted.
        """
        hs = self.encoder.forward(questions)
        self.decoder.lstm.set_state(hs[:, -1])
        given = np.maximum(answers[:, :-1], 0)
        return self.loss.forward(self.decoder.forward(given, hs), answers[:, 1:])

    def backward(self) -> None:
        """Afterwards `grads` has the gradients of the last `forward`."""
        self.zero_grads()
        dhs = self.decoder.backward(self.loss.backward())
        dhs[:, -1] += self.decoder.lstm.dh  # the first state came from there
        self.encoder.backward(dhs)

    def generate(self, questions: Array, start: int, length: int) -> Array:
        """The likeliest word at each step, which is the next one's input: `[N, S]` -> `[N, length]`.

        Args:
            questions: `[N, S]`.
            start: the word that begins an answer.
            length: how many words to write.
        """
        hs = self.encoder.forward(questions)
        self.decoder.lstm.set_state(hs[:, -1])
        word, written = np.full((len(questions), 1), start), []
        for _ in range(length):
            word = self.decoder.forward(word, hs).argmax(axis=2)
            written.append(word)
        self.decoder.lstm.reset_state()
        return np.concatenate(written, axis=1)


class Seq2seq(EncoderDecoder):
    """The plain one (Sutskever et al. 2014).

    Args:
        vocab_size: V.
        wordvec_size: D.
        hidden_size: H.
        dtype: of weights and sums.
        seed: of the weights.
    """

    _decoder: type[PlainDecoder] | type[PeekyDecoder] | type[AttentionDecoder] = PlainDecoder

    def __init__(
        self,
        vocab_size: int,
        wordvec_size: int,
        hidden_size: int,
        *,
        dtype: npt.DTypeLike = np.float32,
        seed: int = 1,
    ) -> None:
        weights = Weights(np.random.default_rng(seed), dtype)
        sizes = vocab_size, wordvec_size, hidden_size
        super().__init__(Encoder(*sizes, weights), self._decoder(*sizes, weights))


class PeekySeq2seq(Seq2seq):
    """Every step of the decoder sees the encoder's last state (Cho et al. 2014). Arguments as of `Seq2seq`."""

    _decoder = PeekyDecoder


class AttentionSeq2seq(Seq2seq):
    """Every step sees what it needs of all states (Luong et al. 2015). Arguments as of `Seq2seq`."""

    _decoder = AttentionDecoder
