"""A captioner of torch.nn's classes."""

from typing import Any

import torch
from torch import Tensor, nn

from ostinato.interop.outgoing.plain.writing import Decoder, Search, State


class PictureEncoder(nn.Module):
    """Four convolutions that halve a picture, to features of each place; each pixel has its coordinates beside it."""

    coordinates: Tensor

    def __init__(self, picture_size: int, channels: list[int], groups: int, output_size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip([5, *channels], channels, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)]
            layers += [nn.GroupNorm(groups, after), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        self.output = nn.Linear(channels[-1], output_size)
        line = torch.linspace(-1, 1, picture_size)
        self.register_buffer("coordinates", torch.stack(torch.meshgrid(line, line, indexing="ij")), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """From bytes `[N, 3, size, size]` to places `[P, N, M]`, row by row."""
        colours = pictures.float() / 127.5 - 1
        where = self.coordinates.expand(len(colours), -1, -1, -1)
        found = self.convolutions(torch.cat([colours, where], dim=1))
        places: Tensor = self.output(found.flatten(2).permute(2, 0, 1))
        return places


class Captioner(nn.Module):
    """A picture, or features of its places, to scores of a caption's tokens, and to whole captions."""

    def __init__(
        self,
        decoder: dict[str, Any],
        beginnings: dict[str, int],
        search: dict[str, Any],
        max_length: int,
        pictures: dict[str, Any] | None = None,
        feature_size: int = 0,
    ) -> None:
        super().__init__()
        self.pictures = None if pictures is None else PictureEncoder(**pictures)
        M = decoder["memory_size"]
        self.features = nn.Linear(feature_size, M) if feature_size else None
        self.decoder = Decoder(**decoder)
        self.num_layers = decoder["layers"]["num_layers"]
        self.beginnings = nn.ModuleDict({name: nn.Linear(2 * M, width) for name, width in beginnings.items()})
        self.search, self.max_length = Search(**search), max_length

    def forward(self, inputs: Tensor, target_inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Scores `[T, N, V]` of the tokens behind each of `target_inputs` `[T, N]`, the first of which is the end's id;
        of pictures `inputs` `[N, 3, size, size]`, bytes, or features `[P, N, F]`, of which `lengths` `[N]` are
        valid."""
        scores: Tensor = self.decoder(target_inputs, self.start(inputs, lengths))[0]
        return scores

    def start(self, inputs: Tensor, lengths: Tensor | None = None) -> State:
        """What the decoder begins with: the mean and the largest of what is seen."""
        if self.pictures is not None:
            memory = self.pictures(inputs)
        else:
            assert self.features is not None
            memory = torch.tanh(self.features(inputs))
        P, N, _ = memory.shape
        lengths = torch.full((N,), P) if lengths is None else lengths
        absent = (torch.arange(P)[:, None] >= lengths).unsqueeze(-1)
        mean = memory.masked_fill(absent, 0.0).sum(0) / lengths.clamp(min=1).unsqueeze(1)
        highest = memory.masked_fill(absent, torch.finfo(memory.dtype).min).amax(0)
        summary = torch.cat([mean, highest.masked_fill((lengths == 0).unsqueeze(1), 0.0)], dim=-1)
        fields = [torch.tanh(own(summary)).chunk(self.num_layers, dim=1) for own in self.beginnings.values()]
        return self.decoder.start(tuple(torch.stack(rows) for rows in fields), memory, lengths)

    def write(
        self, inputs: Tensor, lengths: Tensor | None = None, width: int = 5, limit: int | None = None
    ) -> list[tuple[list[int], float]]:
        """The caption of each picture, as ids without the end, and its score: by a beam of so many hypotheses, or of 1
        greedily; of `limit` tokens at most, by default `max_length`."""
        with torch.no_grad():
            state = self.start(inputs, lengths)
        most, N = self.max_length if limit is None else limit, state.first[0].shape[1]
        return [self.search.best(self.decoder, state.of(row), most, width) for row in range(N)]
