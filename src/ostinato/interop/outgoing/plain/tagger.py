"""A tagger of torch.nn's classes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.interop.outgoing.plain.padded import recurrent, run_padded


class Spelling(nn.Module):
    """A vector for a word from its characters: the last states of both directions."""

    def __init__(self, num_characters: int, embed_size: int, layers: dict[str, Any]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_characters, embed_size)
        self.recurrent = recurrent(embed_size, **layers)

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """`[C, U]` ids and `[U]` lengths to `[U, 2*H]`."""
        _, state = run_padded(self.recurrent, self.embedding(characters), lengths)
        return torch.cat([*state[0]], dim=-1)


class Tagger(nn.Module):
    """Words, their characters and other columns to scores of tags."""

    def __init__(
        self,
        num_words: int,
        num_tags: int,
        embed_size: int,
        layers: dict[str, Any],
        spelling: dict[str, Any] | None = None,
        num_features: Sequence[int] = (),
        feature_embed_size: int = 16,
        chained: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_words, embed_size)
        self.spelling = None if spelling is None else Spelling(**spelling)
        self.features = nn.ModuleList(nn.Embedding(number, feature_embed_size) for number in num_features)
        width = embed_size + feature_embed_size * len(num_features)
        width += 0 if spelling is None else 2 * spelling["layers"]["hidden_size"]
        self.recurrent = recurrent(width, **layers)
        self.output = nn.Linear(2 * (layers.get("proj_size") or layers["hidden_size"]), num_tags)
        self.chain = nn.ParameterDict()  # the scores of neighbouring tags, those of what cannot be far below
        if chained:
            shapes = {"start": (num_tags,), "transitions": (num_tags, num_tags), "end": (num_tags,)}
            self.chain = nn.ParameterDict({name: nn.Parameter(torch.zeros(shape)) for name, shape in shapes.items()})

    def forward(
        self,
        words: Tensor,
        lengths: Tensor,
        spelled: Tensor,
        characters: Tensor,
        character_lengths: Tensor,
        features: Tensor | None = None,
    ) -> Tensor:
        """Scores `[T, N, K]` of word ids `[T, N]`, of which `lengths` `[N]` are valid.

        `characters` `[C, U]` and `character_lengths` `[U]` spell the U different words, `spelled` `[T, N]` says which
        column is whose; `features` `[F, T, N]` are ids in each other column.
        """
        parts = [self.embedding(words)]
        if self.spelling is not None:
            parts.append(self.spelling(characters, character_lengths)[spelled])
        if features is not None:
            parts += [own(column) for own, column in zip(self.features, features, strict=True)]
        hidden, _ = run_padded(self.recurrent, torch.cat(parts, dim=-1), lengths)
        found: Tensor = self.output(hidden)
        return found

    def best(self, scores: Tensor) -> list[int]:
        """The tags of one sentence by number, of its scores `[T, K]`: the best sequence, by Viterbi's recursion."""
        if not len(self.chain):
            return [int(tag) for tag in scores.argmax(-1)]
        best, came_from = self.chain["start"] + scores[0], []
        for emission in scores[1:]:
            step, source = (best.unsqueeze(1) + self.chain["transitions"]).max(dim=0)
            best = step + emission
            came_from.append(source)
        path = [int((best + self.chain["end"]).argmax())]
        for source in reversed(came_from):
            path.append(int(source[path[-1]]))
        return path[::-1]
