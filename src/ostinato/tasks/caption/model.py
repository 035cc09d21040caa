"""One to many: a picture, or features of one, begins a sequence."""

from typing import Any

import torch
from torch import Tensor, nn

from ostinato.config.cells import DEFAULT_CELL
from ostinato.core.errors import ConfigError
from ostinato.core.lengths import valid_steps
from ostinato.layers.attention import Score
from ostinato.models.sequence_decoder import DecoderOutput, DecoderState, SequenceDecoder

#: Channels behind each halving of a picture.
CHANNELS = (16, 32, 64, 128)

#: Of channels, that are normalised together.
GROUPS = 8


class PictureEncoder(nn.Module):
    """A small convolutional network: four times a 3 x 3 convolution of stride 2, group normalisation and ReLU; from
    pictures whose size is a multiple of 16 to M features of each place.

    Beside its colours each pixel has its coordinates, from -1 to 1 (Liu et al. 2018, arXiv:1807.03247): where something
    is is then as easily learned as what it is.

    Raises:
        ConfigError: another picture size.
    """

    coordinates: Tensor

    def __init__(self, picture_size: int, output_size: int) -> None:
        super().__init__()
        if picture_size < 16 or picture_size % 16:
            raise ConfigError(
                f"pictures are halved four times: expected a size that is a multiple of 16, got {picture_size}"
            )
        layers: list[nn.Module] = []
        for before, after in zip((5, *CHANNELS), CHANNELS, strict=False):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.GroupNorm(GROUPS, after),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.output = nn.Linear(CHANNELS[-1], output_size)
        line = torch.linspace(-1, 1, picture_size)
        self.register_buffer("coordinates", torch.stack(torch.meshgrid(line, line, indexing="ij")), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """From pictures `[N, 3, size, size]`, bytes, to a grid's places `[P, N, M]`, row by row."""
        colours = pictures.to(self.output.weight.dtype) / 127.5 - 1
        where = self.coordinates.to(colours.dtype).expand(colours.shape[0], -1, -1, -1)
        found = self.convolutions(torch.cat([colours, where], dim=1))
        return self.output(found.flatten(2).permute(2, 0, 1))


class Captioner(nn.Module):
    """A `SequenceDecoder` started from what was seen, and attending over it.

        memory  = encoder(picture), or tanh(W_f features)
        state_0 = tanh(W_s (mean(memory), max(memory))), for each layer and field

    as Xu et al. have it (2015, arXiv:1502.03044) but for the maximum over the places, which a small thing on a large
    ground does not vanish from. Without attention this beginning is all the decoder sees (Vinyals et al. 2015,
    arXiv:1411.4555).

    Args:
        vocab_size: V.
        embed_size: E.
        hidden_size: H, of the decoder; the memory has as many features.
        num_layers: L.
        picture_size: height and width of pictures, for a convolutional encoder trained along; 0 for none.
        feature_size: F of precomputed features; 0 for none.
        cell: a registered cell's name.
        dropout: share set to zero in training: of the memory, after the embedding, between layers, before the output.
        attention: score of the attention, or None.
        tied: the output layer uses the embedding's weights.
        **options: of `Recurrent` and of the cell.

    Raises:
        ConfigError: neither or both of pictures and features.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        picture_size: int = 0,
        feature_size: int = 0,
        cell: str = DEFAULT_CELL,
        dropout: float = 0.0,
        attention: Score | None = "general",
        tied: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        if bool(picture_size) == bool(feature_size):
            raise ConfigError("a captioner sees pictures or features: expected a size of one of them")
        self.pictures = PictureEncoder(picture_size, hidden_size) if picture_size else None
        self.features = nn.Linear(feature_size, hidden_size) if feature_size else None
        self.dropout = nn.Dropout(dropout)
        options |= {"cell": cell, "dropout": dropout, "memory_size": hidden_size, "attention": attention, "tied": tied}
        self.decoder = SequenceDecoder(vocab_size, embed_size, hidden_size, num_layers, **options)
        state = self.decoder.initial_state(1)
        widths = {name: field.shape[0] * field.shape[2] for name, field in zip(state._fields, state, strict=True)}
        self.beginnings = nn.ModuleDict({name: nn.Linear(2 * hidden_size, width) for name, width in widths.items()})

    def forward(
        self,
        inputs: Tensor,
        lengths: Tensor | None = None,
        *,
        target_inputs: Tensor,
        target_lengths: Tensor | None = None,
    ) -> DecoderOutput:
        """Look, and predict each token of a caption from those before it.

        Args:
            inputs: pictures `[N, 3, size, size]` of bytes, or features `[P, N, F]`.
            lengths: `[N]` places of each row's features; None where all have P.
            target_inputs: `[T, N]` token ids: the caption, one step later than it is to be predicted.
            target_lengths: `[N]` of these; None where all are T.
        """
        return self.decoder(target_inputs, self.start(inputs, lengths), target_lengths)

    def start(self, inputs: Tensor, lengths: Tensor | None = None) -> DecoderState:
        """The decoder's state before its first step, once the picture is seen."""
        if self.pictures is not None:
            memory = self.pictures(inputs)
        else:
            assert self.features is not None
            memory = torch.tanh(self.features(inputs))
        memory = self.dropout(memory)
        summary = _mean_and_max(memory, lengths)
        like = self.decoder.initial_state(memory.shape[1])
        fields = {}
        for name, field in zip(like._fields, like, strict=True):  # [L, N, size]
            rows = torch.tanh(self.beginnings[name](summary)).reshape(-1, field.shape[0], field.shape[2])
            fields[name] = rows.transpose(0, 1)
        return self.decoder.start(type(like)(**fields), memory, lengths)


def _mean_and_max(memory: Tensor, lengths: Tensor | None) -> Tensor:
    """`[N, 2 M]`, over the places that count; zeros where there are none."""
    if lengths is None:
        return torch.cat([memory.mean(0), memory.amax(0)], dim=-1)
    absent = ~valid_steps(lengths, memory.shape[0]).unsqueeze(-1)
    mean = memory.masked_fill(absent, 0).sum(0) / lengths.clamp(min=1).unsqueeze(1)
    highest = memory.masked_fill(absent, torch.finfo(memory.dtype).min).amax(0)
    return torch.cat([mean, highest.masked_fill((lengths == 0).unsqueeze(1), 0)], dim=-1)
