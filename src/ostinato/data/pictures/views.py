"""What a captioner sees: pictures, or features of them; captions as ids, in batches with what is seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.core.errors import DataError
from ostinato.core.files import LocalFile, in_utf8
from ostinato.core.memory import require_room
from ostinato.data.batching.buckets import Rows, pad_features, pad_ids
from ostinato.data.batching.splits import evenly
from ostinato.data.pictures.reading import read_picture, require_pillow
from ostinato.data.text.tokenizer import TokenIds

_NAMED = 5  # unusable pictures named in a message


class Pictures:
    """Pictures of a folder, brought to one height and width, whatever their shape, and kept as bytes.

    Raises:
        DataError: there is no such folder.
        ConfigError: Pillow is not installed.
    """

    def __init__(self, folder: str | Path, size: int) -> None:
        self._folder, self._size = Path(folder), size
        if not self._folder.is_dir():
            raise DataError(f"{folder}: no such folder; expected one that holds the pictures")
        require_pillow()
        self._seen: dict[str, npt.NDArray[np.uint8]] = {}

    def usable(self, names: Sequence[str]) -> tuple[list[str], list[str]]:
        """Read the pictures; names of those that can be seen, and of those that are missing, damaged or no pictures."""
        new = len({*names} - self._seen.keys())
        side = f"{new:,} pictures of {self._size} x {self._size}"
        require_room(3 * self._size**2 * new, side, "choose a smaller --picture-size")
        for name in names:
            if name not in self._seen and (picture := read_picture(self._folder / name, self._size)) is not None:
                self._seen[name] = picture
        return [n for n in names if n in self._seen], [n for n in names if n not in self._seen]

    def batch(self, names: Sequence[str]) -> tuple[Tensor, None]:
        """`[N, 3, size, size]` bytes."""
        return torch.as_tensor(np.stack([self._seen[name] for name in names])), None


class Features:
    """Precomputed features of pictures, in a safetensors file: `[F]`, `[P, F]` or `[rows, columns, F]` under each
    picture's name.

    Raises:
        DataError: the file is missing, damaged, empty, or its features are of different sizes.
    """

    def __init__(self, file: str | Path) -> None:
        self._file = str(file)
        if not Path(file).is_file():
            raise DataError(f"{file}: no such file; expected a .safetensors file with features by picture's name")
        try:
            self._opened = self._open()
            self._names = set(self._opened.keys())
            shapes = {name: tuple(self._opened.get_slice(name).get_shape()) for name in self._names}
        except (SafetensorError, OSError) as error:
            raise DataError(f"{file}: damaged, or not a safetensors file: {error}") from None
        if not shapes:
            raise DataError(f"{file}: holds no features")
        for name, shape in sorted(shapes.items()):
            if not 1 <= len(shape) <= 3 or 0 in shape:
                raise DataError(f"{file}: {name}: expected a vector [F] or a grid [P, F], got shape {list(shape)}")
        sizes = {shape[-1]: name for name, shape in shapes.items()}
        if len(sizes) > 1:
            (one, first), (two, second) = list(sizes.items())[:2]
            raise DataError(f"{file}: expected features of one size, got {one} for {first} and {two} for {second}")
        self.size = next(iter(sizes))

    def _open(self) -> Any:
        with in_utf8(Path(self._file)) as name:
            return safe_open(name, framework="pt")  # which NumPy's way has no bfloat16 for

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name != "_opened"}
        return state | {"_file": LocalFile(self._file)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"_file": state["_file"].path})
        self._opened = self._open()

    def _of(self, name: str) -> npt.NDArray[np.float32]:
        return np.asarray(self._opened.get_tensor(name).to(torch.float32))

    def usable(self, names: Sequence[str]) -> tuple[list[str], list[str]]:
        """Which names the file has finite features for, and which not."""
        good = {n for n in names if n in self._names and np.isfinite(self._of(n)).all()}
        return [n for n in names if n in good], [n for n in names if n not in good]

    def batch(self, names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """`[P, N, F]`, and the places `[N]` of each."""
        return pad_features([self._of(name).reshape(-1, self.size) for name in names])


#: What a captioner sees, by picture's name.
Views: TypeAlias = Pictures | Features


def views_of(images: str | None, features: str | None, picture_size: int) -> Views:
    """Of a folder of pictures, each brought to a size, or of a file of features."""
    return Features(features) if features is not None else Pictures(str(images), picture_size)


def unusable(names: Sequence[str], of: int) -> str:
    """How a message tells of pictures that cannot be seen."""
    shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names):,} of {of:,} pictures are missing or damaged and were left out: {shown}"


@dataclass(frozen=True)
class EncodedCaptions:
    """Captions as ids, each with the name of its picture.

    Attributes:
        names: `[captions]`.
        targets: `[captions]` arrays, without `<eos>`.
        views: what is seen.
        eos: the id that begins and ends a caption.
    """

    names: list[str]
    targets: list[TokenIds]
    views: Views
    eos: int = 0

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def counts(self) -> Rows:
        """`[captions]` tokens to predict."""
        return np.array([len(target) + 1 for target in self.targets], np.int64)

    def spread(self, most: int) -> "EncodedCaptions":
        """At most so many of them, evenly spaced."""
        return self if len(self) <= most else self._select(evenly(len(self), most))

    def _select(self, rows: Iterable[int]) -> "EncodedCaptions":
        rows = list(rows)
        return replace(self, names=[self.names[row] for row in rows], targets=[self.targets[row] for row in rows])

    def within(self, longest: int) -> "EncodedCaptions":
        """Those that are not longer."""
        return self._select(row for row, target in enumerate(self.targets) if len(target) <= longest)

    def batch(self, rows: Rows) -> Batch:
        """The captions with these numbers and their pictures."""
        inputs, lengths = self.views.batch([self.names[row] for row in rows])
        targets, target_lengths = pad_ids([np.append(self.targets[row], self.eos) for row in rows])
        shifted = torch.cat([torch.full((1, targets.shape[1]), self.eos), targets[:-1]])
        more = {"target_inputs": shifted, "target_lengths": target_lengths}
        return Batch(inputs, targets, lengths, more=more, counted=int(target_lengths.sum()))
