"""A whole captioner on NumPy arrays: pictures, or features of them, to texts."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.core.errors import DataError
from ostinato.data.pictures.reading import read_picture
from ostinato.runtime.archive import Archive
from ostinato.runtime.texts import Tokenizer
from ostinato.runtime.writing import Decoder, Floats, Ids, Search, State

_EPSILON = 1e-5  # of torch's group normalisation


class Captioner:
    """What a run's captioner computes, from `ostinato export RUN --to numpy`.

    Args:
        archive: the file.
        threads: at most this many; by default OMP_NUM_THREADS, or one for each processor.

    Attributes:
        tokenizer: of what is written.

    Raises:
        ConfigError: a cell that the native kernels lack.
    """

    def __init__(self, archive: Archive, threads: int | None = None) -> None:
        about, model = archive.about, archive.model
        self.tokenizer = Tokenizer(about["tokenizer"], about["level"])
        self._pictures = _PictureEncoder(archive) if model.get("picture_size") else None
        self._features = archive.linear("features") if model.get("feature_size") else None
        self._wide = model.get("feature_size")
        self._decoder, self._search, self._layers = Decoder(archive, threads), Search(archive), model["num_layers"]
        self._beginnings = [archive.linear(f"beginnings.{name}") for name in self._decoder.fields]

    def caption(self, seen: Sequence[Any], beam: int | None = None) -> list[str]:
        """A caption of each picture, as `ostinato predict` has it.

        Args:
            seen: files of pictures, which takes Pillow, or arrays of bytes `[3, size, size]`; of a run that was trained
                on features, arrays `[F]`, `[P, F]` or `[rows, columns, F]`.
            beam: hypotheses that are followed; 1 is greedy, None what `ostinato predict` takes.

        Raises:
            DataError: what is no such picture, or no such features.
            ConfigError: a file, and Pillow is not installed.
        """
        read = self._picture if self._pictures is not None else self._places
        texts = []
        for number, one in enumerate(seen):
            inputs, lengths = read(number, one)
            ((tokens, _),) = self.write(inputs, lengths, beam)
            texts.append(self.tokenizer.decode(tokens).strip())
        return texts

    def _picture(self, number: int, given: Any) -> tuple[NDArray[Any], Ids | None]:
        assert self._pictures is not None
        size = self._pictures.size
        if isinstance(given, str | PathLike):
            picture = read_picture(given, size)
            if picture is None:
                raise DataError(f"{given}: missing or damaged; expected a picture that Pillow can read")
            return picture[None], None
        found = np.asarray(given)
        if found.shape != (3, size, size) or found.dtype != np.uint8:
            raise DataError(
                f"seen[{number}]: expected bytes [3, {size}, {size}], got {found.dtype} of shape {found.shape}"
            )
        return found[None], None

    def _places(self, number: int, given: Any) -> tuple[NDArray[Any], Ids | None]:
        try:
            found = np.asarray(given, np.float32)
        except (TypeError, ValueError):
            raise DataError(f"seen[{number}]: expected features, got {type(given).__name__}") from None
        if not 1 <= found.ndim <= 3 or found.shape[-1] != self._wide or not np.isfinite(found).all():
            raise DataError(f"seen[{number}]: expected finite features [P, {self._wide}], got shape {found.shape}")
        places = found.reshape(-1, 1, self._wide)
        return places, np.array([len(places)])

    def write(
        self, inputs: NDArray[Any], lengths: Ids | None = None, width: int | None = None, limit: int | None = None
    ) -> list[tuple[list[int], float]]:
        """The caption of each picture, as ids without the end, and its score.

        Args:
            inputs: pictures `[N, 3, size, size]`, bytes, or features `[P, N, F]`.
            lengths: `[N]` places of each row's features; None where all have P.
            width: of the beam; see `caption`.
            limit: tokens at most; by default what the run writes.
        """
        state = self._start(inputs, lengths)
        most, N = self._search.max_length if limit is None else limit, state.first[0].shape[1]
        return [self._search.best(self._decoder, state.of(row), most, width) for row in range(N)]

    def __call__(self, inputs: NDArray[Any], target_inputs: Ids, lengths: Ids | None = None) -> Floats:
        """Scores `[T, N, V]` of the tokens behind each of `target_inputs` `[T, N]`, the first of which is the end's id;
        of `inputs` and `lengths` as `write` takes them."""
        return self._decoder(target_inputs, self._start(inputs, lengths))[0]

    def numbers(self, **inputs: Any) -> tuple[Floats]:
        """A call, by the names of the run's model."""
        return (self(**inputs),)

    def _start(self, inputs: NDArray[Any], lengths: Ids | None) -> State:
        """What the decoder begins with: the mean and the largest of what is seen."""
        if self._pictures is not None:
            memory = self._pictures(inputs)
        else:
            assert self._features is not None
            memory = np.tanh(self._features(inputs))
        P, N, _ = memory.shape
        lengths = np.full(N, P) if lengths is None else np.asarray(lengths)
        absent, some = (np.arange(P)[:, None] >= lengths)[:, :, None], np.maximum(lengths, 1)[:, None]
        mean = (np.where(absent, 0, memory).sum(0) / some).astype(np.float32)
        highest = np.where(absent, np.finfo(np.float32).min, memory).max(0)
        summary = np.concatenate([mean, np.where((lengths == 0)[:, None], np.float32(0), highest)], axis=-1)
        said = [np.tanh(own(summary)) for own in self._beginnings]
        fields = [one.reshape(N, self._layers, one.shape[1] // self._layers).swapaxes(0, 1) for one in said]
        return self._decoder.start(list(map(np.ascontiguousarray, fields)), memory, lengths)


class _PictureEncoder:
    """Four convolutions that halve a picture, to features of each place; each pixel has its coordinates beside it."""

    def __init__(self, archive: Archive) -> None:
        arrays, about = archive.arrays, archive.about
        self.size: int = archive.model["picture_size"]
        self._groups = about["groups"]
        prefix = "pictures.convolutions"
        self._layers = [
            (
                arrays[f"{prefix}.{3 * number}.weight"],
                arrays[f"{prefix}.{3 * number + 1}.weight"],
                arrays[f"{prefix}.{3 * number + 1}.bias"],
            )
            for number in range(len(about["channels"]))
        ]
        self._output = archive.linear("pictures.output")
        line = np.linspace(-1, 1, self.size, dtype=np.float32)
        self._coordinates = np.stack(np.meshgrid(line, line, indexing="ij"))

    def __call__(self, pictures: NDArray[np.uint8]) -> Floats:
        """From bytes `[N, 3, size, size]` to places `[P, N, M]`, row by row."""
        colours = pictures.astype(np.float32) / np.float32(127.5) - 1
        where = np.broadcast_to(self._coordinates, (len(colours), *self._coordinates.shape))
        x = np.concatenate([colours, where], axis=1)
        for weight, scale, shift in self._layers:
            x = np.maximum(self._normalised(_halved(x, weight), scale, shift), 0)
        N, C, height, width = x.shape
        return self._output(x.reshape(N, C, width * height).transpose(2, 0, 1))

    def _normalised(self, x: Floats, scale: Floats, shift: Floats) -> Floats:
        """Group normalisation."""
        N, C, *sizes = x.shape
        groups = x.reshape(N, self._groups, C // self._groups * sizes[0] * sizes[1])
        centred = groups - groups.mean(-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(_EPSILON))
        return (centred / spread).reshape(N, C, *sizes) * scale[:, None, None] + shift[:, None, None]


def _halved(x: Floats, weight: Floats) -> Floats:
    """A convolution of 3 x 3 with stride 2 and a border of zeros: `[N, C, h, w] -> [N, C', h/2, w/2]`."""
    edged = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    patches = np.lib.stride_tricks.sliding_window_view(edged, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    N, C, height, width, *_ = patches.shape
    rows = patches.transpose(0, 2, 3, 1, 4, 5).reshape(N, height * width, C * 9)
    found = rows @ weight.reshape(len(weight), -1).T
    return np.ascontiguousarray(found.swapaxes(1, 2)).reshape(N, len(weight), height, width)
