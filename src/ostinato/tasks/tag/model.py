"""Many to many, aligned: a tag for every word."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.config.cells import DEFAULT_CELL
from ostinato.core.errors import ConfigError
from ostinato.layers.recurrent import Recurrent
from ostinato.tasks.tag import heads
from ostinato.tasks.tag.options import HEADS

#: Id of the unknown word, and of the unknown character.
UNKNOWN = 0


class Tagger(nn.Module):
    """Words by embedding and by spelling, a bidirectional stack over the sentence, and a head, such as a CRF.

        spelling_w = [last forward state; last backward state] of a recurrent layer over the characters of w
        x_t = [embedding(w_t); spelling(w_t); embeddings of the other columns of w_t, where there are any]
        h = stack(x),    e_t = W h_t + b

    Ling et al. 2015 (arXiv:1508.02096) and Lample et al. 2016 (arXiv:1603.01360), who put a CRF behind it. Each
    different word of a batch is spelled once. In training a word that occurs n times in the data is unknown with
    probability a / (a + n) (Kiperwasser, Goldberg 2016, arXiv:1603.04351): rare words, which are most like those never
    seen, teach what an unknown word is, and that its spelling must serve.

    Args:
        num_words: V, word ids; 0 is the unknown word.
        num_characters: character ids; 0 is the unknown character.
        num_tags: K.
        embed_size: width of the word embedding.
        hidden_size: H of the stack, each direction.
        num_layers: L of the stack.
        cell: a registered cell's name, for the stack and for the characters.
        character_embed_size: width of the character embedding.
        character_hidden_size: H of the character layer, each direction; 0 leaves the spelling out.
        dropout: share set to zero in training: of x, between layers, of h.
        word_dropout: a above; 0 means that no word is dropped. It takes effect once `count_words` has told the n.
        head: how tags are chosen, one of `options.HEADS`.
        num_features: ids of each other column that is read along, the unknown one included.
        feature_embed_size: width of each one's embedding.
        **options: of the stack's `Recurrent` and of the cell.

    Raises:
        ConfigError: an unknown head, or word_dropout below 0.
    """

    dropped: Tensor | None

    def __init__(
        self,
        num_words: int,
        num_characters: int,
        num_tags: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        cell: str = DEFAULT_CELL,
        character_embed_size: int = 32,
        character_hidden_size: int = 64,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        head: str = "softmax",
        num_features: Sequence[int] = (),
        feature_embed_size: int = 16,
        **options: Any,
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise ConfigError(f"head: expected one of {', '.join(HEADS)}, got {head!r}")
        if word_dropout < 0:
            raise ConfigError(f"word_dropout: expected at least 0, got {word_dropout}")
        self.word_dropout = word_dropout
        self.register_buffer("dropped", None, persistent=False)  # [V], probability of each word
        self.embedding = nn.Embedding(num_words, embed_size)
        self.spelling = Spelling(num_characters, character_embed_size, character_hidden_size, cell)
        self.features = nn.ModuleList(nn.Embedding(number, feature_embed_size) for number in num_features)
        width = embed_size + self.spelling.output_size + feature_embed_size * len(self.features)
        self.recurrent = Recurrent(cell, width, hidden_size, num_layers, dropout=dropout, bidirectional=True, **options)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.recurrent.output_size, num_tags)
        self.head = head
        for name in HEADS:  # weights files have what a head learns under its name
            self.add_module(name, heads.find(name).layer(num_tags) if name == head else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The embedding within 0.1 and the output's bias zero; all else as its layer has it."""
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def count_words(self, counts: Tensor) -> None:
        """Say how often each word occurs in the training data, `[V]`: word dropout goes by it."""
        counts = counts.to(self.embedding.weight)
        self.dropped = self.word_dropout / (self.word_dropout + counts) if self.word_dropout else None

    def forward(
        self,
        words: Tensor,
        lengths: Tensor | None = None,
        *,
        spelled: Tensor,
        characters: Tensor,
        character_lengths: Tensor,
        features: Tensor | None = None,
    ) -> heads.TaggerOutput:
        """Read sentences.

        Args:
            words: `[T, N]` word ids.
            lengths: `[N]` words of each sentence; T where None.
            spelled: `[T, N]` which column of `characters` spells the word.
            characters: `[C, U]` character ids of the U different words.
            character_lengths: `[U]` characters of each.
            features: `[F, T, N]` ids in each other column.
        """
        if self.training and self.dropped is not None:
            words = words.where(torch.rand(words.shape, device=words.device) >= self.dropped[words], UNKNOWN)
        x = self.embedding(words)
        if self.spelling.output_size:
            x = torch.cat([x, self.spelling(characters, character_lengths)[spelled]], dim=-1)
        if features is not None:
            embedded = [own(column) for own, column in zip(self.features, features, strict=True)]
            x = torch.cat([x, *embedded], dim=-1)
        hidden, _ = self.recurrent(self.dropout(x), lengths=lengths)
        emissions = self.output(self.dropout(hidden))
        learned = getattr(self, self.head)
        return heads.TaggerOutput(self.head, emissions, lengths, None if learned is None else learned.chain())


class Spelling(nn.Module):
    """A vector for a word from its characters: the last states of a bidirectional layer, whose `hidden_size` is that of
    each direction; 0 makes no layer at all."""

    def __init__(self, num_characters: int, embed_size: int, hidden_size: int, cell: str) -> None:
        super().__init__()
        self.output_size = 0
        if hidden_size:
            self.embedding = nn.Embedding(num_characters, embed_size)
            self.recurrent = Recurrent(cell, embed_size, hidden_size, bidirectional=True)
            self.output_size = self.recurrent.output_size

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """`[C, U]` ids and `[U]` lengths -> `[U, output_size]`."""
        _, state = self.recurrent(self.embedding(characters), lengths=lengths)
        return torch.cat([*state[0]], dim=-1)
