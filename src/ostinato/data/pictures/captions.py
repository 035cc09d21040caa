"""Captions of pictures, and the pictures or their features."""

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError, DataError
from ostinato.core.files import in_utf8
from ostinato.core.memory import require_room
from ostinato.data.batching.buckets import Rows, pad_features, pad_ids
from ostinato.data.batching.splits import evenly
from ostinato.data.sources.files import PathLike, find_files, one_file
from ostinato.data.sources.memory import HeldTable, in_memory
from ostinato.data.tables.reading import read_table
from ostinato.data.text.pairs import read_lines
from ostinato.data.text.reading import Lines
from ostinato.data.text.tokenizer import TokenIds

_FLICKR = re.compile(r"(\S.*)#\d+\t(.*)")
_NAMED = 5  # unusable pictures named in a message

#: What pictures are read as, by their content. Pillow knows others that start programs (EPS) or are not meant for this.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")


@dataclass(frozen=True)
class Captions:
    """Pictures by name, in order, and what people wrote of each.

    Attributes:
        names: `[pictures]`.
        texts: `[pictures]`, one caption or several each.
        file: where they come from, for messages.
        digest: SHA-256 of names and captions.
    """

    names: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    file: str
    digest: str

    def __len__(self) -> int:
        return len(self.names)

    def select(self, names: Iterable[str]) -> "Captions":
        """Some of the pictures, in another order."""
        at = {name: row for row, name in enumerate(self.names)}
        return _captions([(name, text) for name in names for text in self.texts[at[name]]], self.file)

    def lines(self) -> Lines:
        """The captions, to learn a tokenizer from."""
        return Lines(tuple(text for texts in self.texts for text in texts), (self.file,))


def read_captions(source: PathLike) -> Captions:
    """Read a table with the columns `image` and `caption`, a row for each caption; or lines as Flickr8k.token.txt has
    them, `NAME#NUMBER TAB CAPTION`.

    Raises:
        DataError: the file cannot be read, is neither, or holds no captions.
    """
    if _FLICKR.fullmatch(_first_line(source)):
        return _read_flickr(source)
    table = read_table(source, ["image", "caption"])
    names = [(name or "").strip() for name in table.texts("image")]
    texts = [(text or "").strip() for text in table.texts("caption")]
    _tell_left_out("picture", [row for row, name in enumerate(names) if not name], table.place)
    _tell_left_out("caption", [row for row, text in enumerate(texts) if not text], table.place)
    rows = zip(names, texts, strict=True)
    return _captions([(name, text) for name, text in rows if name and text], table.name)


def _tell_left_out(what: str, rows: Sequence[int], place: Callable[[int], str]) -> None:
    if rows:
        warnings.warn(f"{place(rows[0])}: no {what} (so in {len(rows):,} rows); left out", stacklevel=4)


def read_names(source: PathLike) -> list[str]:
    """Names of pictures, one a line, each once; or the names of a file of captions, as `read_captions` takes it.

    Raises:
        DataError: the file cannot be read, or names nothing.
    """
    if isinstance(in_memory(source), HeldTable) or is_captions(_first_line(source)):
        return list(read_captions(source).names)
    (file,) = find_files(source)
    names = [line.strip() for line in read_lines(file) if line.strip()]
    if not names:
        raise DataError(f"{file.name}: expected names of pictures, one a line, found none")
    return list(dict.fromkeys(names))


def is_captions(first_line: str) -> bool:
    """Whether a file that begins like this holds captions, and not only names."""
    return (
        bool(_FLICKR.fullmatch(first_line))
        or re.search(r"\bimage\b.*\bcaption\b|\bcaption\b.*\bimage\b", first_line) is not None
    )


def part_of(whole: Captions, source: str) -> Captions:
    """What `--valid` and `--test` name: captions of their own, or some of the pictures of DATA, by a list of names.

    Raises:
        DataError: the file cannot be read, or names a picture that has no captions.
    """
    if source != "-" and not is_list(source):
        return read_captions(source)
    names, known = read_names(source), set(whole.names)
    there = [name for name in names if name in known]
    if not there:
        raise DataError(
            f"{source}: none of its {len(names):,} names, such as {names[0]!r}, has a caption in {whole.file}"
        )
    if len(there) < len(names):
        first = next(name for name in names if name not in known)
        warnings.warn(
            f"{source}: {len(names) - len(there):,} of its {len(names):,} names, such as {first!r}, have no caption in "
            f"{whole.file}; left out",
            stacklevel=3,
        )
    return whole.select(there)


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
        try:
            import PIL  # noqa: F401
        except ImportError:
            raise ConfigError("pictures are read by Pillow: pip install 'ostinato[pictures]'") from None
        self._seen: dict[str, npt.NDArray[np.uint8]] = {}

    def usable(self, names: Sequence[str]) -> tuple[list[str], list[str]]:
        """Read the pictures; names of those that can be seen, and of those that are missing, damaged or no pictures."""
        new = len({*names} - self._seen.keys())
        side = f"{new:,} pictures of {self._size} x {self._size}"
        require_room(3 * self._size**2 * new, side, "choose a smaller --picture-size")
        for name in names:
            if name not in self._seen and (picture := self._read(name)) is not None:
                self._seen[name] = picture
        return [n for n in names if n in self._seen], [n for n in names if n not in self._seen]

    def batch(self, names: Sequence[str]) -> tuple[Tensor, None]:
        """`[N, 3, size, size]` bytes."""
        return torch.from_numpy(np.stack([self._seen[name] for name in names])), None

    def _read(self, name: str) -> npt.NDArray[np.uint8] | None:
        from PIL import Image

        try:
            if not (self._folder / name).is_file():  # a pipe would never end
                return None
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(self._folder / name, formats=_FORMATS) as picture:
                    small = picture.convert("RGB").resize((self._size, self._size), Image.Resampling.BILINEAR)
        except Exception:  # whatever a decoder raises: the picture is damaged
            return None
        return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


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
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
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


def unusable(names: Sequence[str], of: int) -> str:
    """How a message tells of pictures that cannot be seen."""
    shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names):,} of {of:,} pictures are missing or damaged and were left out: {shown}"


def is_list(source: PathLike) -> bool:
    """Whether a file is a list of names, and not captions of its own."""
    if isinstance(in_memory(source), HeldTable):
        return False
    return source != "-" and not str(source).endswith(".parquet") and not is_captions(_first_line(source))


def _first_line(source: PathLike) -> str:
    if source == "-" or str(source).endswith(".parquet") or in_memory(source) is not None:
        return ""
    return next(read_lines(one_file(source)), "").rstrip("\r")


def _read_flickr(source: PathLike) -> Captions:
    (file,) = find_files(source)
    found: list[tuple[str, str]] = []
    numbers: list[int] = []
    for number, line in enumerate(read_lines(file), 1):
        if not line.strip():
            continue
        match = _FLICKR.fullmatch(line.rstrip("\r"))
        if match is None:
            raise DataError(
                f"{file.name}: line {number}: expected NAME#NUMBER, a TAB and a caption, as in line 1, "
                f"got {line[:60]!r}"
            )
        found.append((match[1], match[2].strip()))
        numbers.append(number)
    bare = [row for row, (_, text) in enumerate(found) if not text]
    _tell_left_out("caption", bare, lambda row: f"{file.name}: line {numbers[row]}")
    return _captions(found, file.name)


def _captions(found: list[tuple[str, str]], file: str) -> Captions:
    by_name: dict[str, list[str]] = {}
    for name, text in found:
        if text:
            by_name.setdefault(name, []).append(text)
    if not by_name:
        raise DataError(f"{file}: no captions there; expected the columns image and caption, a row for each caption")
    content = sha256("\n".join(f"{name}\t{text}" for name, text in found).encode("utf-8", "surrogatepass"))
    return Captions(tuple(by_name), tuple(map(tuple, by_name.values())), file, content.hexdigest())
