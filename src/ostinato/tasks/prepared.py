"""Data made ready to train on."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from ostinato.core.files import LocalFile

Codec = TypeVar("Codec")
Part = TypeVar("Part")
More = TypeVar("More")


@dataclass(frozen=True)
class Prepared(Generic[Codec, Part, More]):
    """What a task's `prepare` makes of its files.

    It is pickled where several processes train. A part that is mapped from a file goes as that file's name, and to
    another machine the file goes with it.

    Attributes:
        codec: what was learned of the data and reads more of it: tokenizers, labels, scales.
        train: to train on.
        valid: to validate on.
        data: what the run folder records of the files.
        more: what one task needs besides; None where that is nothing.
    """

    codec: Codec
    train: Part
    valid: Part
    data: dict[str, Any]
    more: More

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"train": _unmapped(self.train), "valid": _unmapped(self.valid)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"train": _mapped(state["train"]), "valid": _mapped(state["valid"])})


@dataclass(frozen=True)
class _Mapped:
    file: LocalFile
    dtype: str


def _unmapped(part: Any) -> Any:
    if not isinstance(part, np.memmap):
        return part
    return _Mapped(LocalFile(str(part.filename)), part.dtype.str) if part.filename else np.array(part)


def _mapped(part: Any) -> Any:
    return np.memmap(part.file.path, np.dtype(part.dtype), "r") if isinstance(part, _Mapped) else part
