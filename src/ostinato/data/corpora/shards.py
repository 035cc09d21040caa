"""Encoded examples in shards: files of arrays, made while those before them are trained on."""

import hashlib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ostinato.core.batch import Batch
from ostinato.core.errors import DataError
from ostinato.core.files import LocalFile, replacing
from ostinato.data.corpora.corpus import Corpus, Rows
from ostinato.data.sources.ahead import Ahead, all_made
from ostinato.data.text.corpus import cache_folder

#: Arrays by name.
Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

#: Called with how much is done, and with how much there is.
Progress: TypeAlias = Callable[[int, int], None]

_FORMAT = "1"  #: part of every key: raise it when the same examples and codec would give other content


class Examples(Protocol):
    """Encoded examples in memory."""

    @property
    def lengths(self) -> Sequence[int] | Rows:
        """`[N]` what batches are sorted by."""

    @property
    def counts(self) -> Sequence[int] | Rows:
        """`[N]` what the loss is a mean over."""

    def batch(self, rows: Rows) -> Batch:
        """Those with these numbers."""


class Encoding(Protocol):
    """How examples become arrays, and arrays batches. It can be pickled."""

    @property
    def key(self) -> str:
        """What decides on the arrays, besides the examples: it stands for tokenizers, labels, scales."""

    def arrays(self, part: Any) -> Arrays:
        """What is kept of examples that were read.

        Raises:
            DataError: they cannot be encoded.
        """

    def examples(self, arrays: Arrays) -> Examples:
        """The examples that were kept."""


class ExampleShards:
    """Encoded examples, shard by shard.

    A process of lower priority makes those that come next; one that nobody has made is made when it is asked for. Of
    several processes on a machine one makes a shard, which all read.

    Args:
        corpus: the examples.
        members: numbers of each shard's segments.
        expected: `[shards]` examples of each, about: what is known before it is made, and the same each time.
        encoding: what makes arrays of them.
        cache_dir: where files are kept; by default `cache_folder()`.
    """

    def __init__(
        self,
        corpus: Corpus[Any],
        members: tuple[Rows, ...],
        expected: Sequence[int],
        encoding: Encoding,
        cache_dir: str | None = None,
    ) -> None:
        self.corpus, self.members, self.expected, self.encoding = corpus, members, tuple(expected), encoding
        self._cache_dir = cache_dir
        self._files: tuple[LocalFile, ...] = ()
        self._ahead = Ahead(self)

    @property
    def count(self) -> int:
        """Shards."""
        return len(self.members)

    @property
    def there(self) -> bool:
        """Whether all shards have come from another machine."""
        return bool(self._files)

    def open(self, number: int, following: Sequence[int]) -> Examples:
        """A shard's examples; `following` are made meanwhile.

        Raises:
            DataError: the data cannot be read or has changed.
        """
        return self._ahead.get(number, following)

    def wait(self) -> None:
        """Until those that are made meanwhile are there."""
        self._ahead.wait()

    def complete(self, progress: Progress | None = None) -> "ExampleShards":
        """The same with all files there, to be sent to another machine where the data is not.

        Raises:
            DataError: the data cannot be read, or the files cannot be kept.
        """
        found = ExampleShards(self.corpus, self.members, self.expected, self.encoding, self._cache_dir)
        found._files = all_made(self, "examples", [1] * self.count, progress)
        return found

    def make(self, number: int) -> Examples:
        """A shard's examples, from its file if that is there and whole. Raises what `open` does."""
        path = Path(self._files[number].path) if self._files else self.file(number)
        if (arrays := _kept(path)) is None:
            if self._files:
                raise DataError(f"{path}: examples that another machine has sent are gone, or damaged; start again")
            arrays = self.encoding.arrays(self.corpus.read(self.members[number]))
            _keep(path, arrays)
        return self.encoding.examples(arrays)

    def file(self, number: int) -> Path:
        """Where a shard's examples are kept."""
        members = self.members[number].tolist()
        key = f"{_FORMAT}\n{self.corpus.digest}\n{members}\n{self.encoding.key}"
        name = hashlib.sha256(key.encode()).hexdigest()[:40]
        return Path(self._cache_dir or cache_folder(), f"examples-{name}.npz")


def flat(rows: Sequence[npt.NDArray[Any]], name: str) -> dict[str, npt.NDArray[Any]]:
    """Arrays of unequal length, one behind the other, and where each begins."""
    lengths = np.array([len(row) for row in rows], np.int64)
    return {name: np.concatenate(rows) if rows else np.zeros(0, np.int64), f"{name}_lengths": lengths}


def rows_of(arrays: Arrays, name: str) -> list[npt.NDArray[Any]]:
    """What `flat` was given."""
    ends = np.cumsum(arrays[f"{name}_lengths"])
    return np.split(arrays[name], ends[:-1]) if len(ends) else []


def _kept(path: Path) -> Arrays | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # not there, or damaged: an archive holds a checksum of each array


def _keep(path: Path, arrays: Arrays) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except OSError:
        return  # no room, or a folder that cannot be written: it is made again when it is wanted next
