"""What is dropped on the page: kept under names of our own in the folder of runs, since a run is resumed from it."""

import json
import secrets
import shutil
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import anyio

from ostinato.core.errors import DataError
from ostinato.data.sources.files import plain_name
from ostinato.serving.problems import Problem
from ostinato.studio.pictures import unpacked

#: Bytes of an upload, at most.
MOST_BYTES = 4 << 30
#: Endings that are kept, as readers go by them; any other file is text.
_ENDINGS = {".txt", ".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".conllu", ".conll", ".iob",
            ".iob2", ".bio", ".ts", ".zip", ".md", ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"}  # fmt: skip
_PACKED = {".gz", ".bz2", ".xz"}


@dataclass(frozen=True)
class Upload:
    """A file that was dropped.

    Attributes:
        id: that we gave it.
        name: that it had.
        path: where its content is.
        images: folder of its pictures, where it was an archive of such.
    """

    id: str
    name: str
    path: Path
    images: Path | None = None

    def described(self) -> dict[str, Any]:
        """What the page is told."""
        return {
            "id": self.id,
            "name": self.name,
            "bytes": self.path.stat().st_size,
            "pictures": self.images is not None,
        }


class Uploads:
    """The uploads of a folder of runs.

    Args:
        runs: that folder.
    """

    def __init__(self, runs: Path) -> None:
        self._folder = runs / ".uploads"

    def find(self, name: str) -> Upload:
        """The upload of an id: looked up among those there are.

        Raises:
            Problem: 404, there is none.
        """
        known = {path.name for path in self._folder.iterdir()} if self._folder.is_dir() else set()
        if name not in known or not (self._folder / name / "upload.json").is_file():
            raise Problem(404, "this upload is not there any more; drop the file once more")
        place = self._folder / name
        said = json.loads((place / "upload.json").read_text(encoding="utf-8"))
        images = place / "pictures"
        return Upload(name, said["name"], place / said["file"], images if images.is_dir() else None)

    async def take(self, name: str, stream: AsyncIterator[bytes]) -> Upload:
        """Keep a file as it comes.

        Args:
            name: that it has where it comes from; of it only a known ending is kept on the disk.
            stream: its content.

        Raises:
            Problem: 413, too large.
            DataError: an archive that holds neither pictures with captions nor text.
        """
        place = self._folder / secrets.token_hex(8)
        await anyio.to_thread.run_sync(lambda: place.mkdir(parents=True))
        try:
            file = place / f"data{_ending(name)}"
            await _write(file, stream)
            return await anyio.to_thread.run_sync(self._kept, place, file, name)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(lambda: shutil.rmtree(place, ignore_errors=True))
            raise

    def _kept(self, place: Path, file: Path, name: str) -> Upload:
        if not file.stat().st_size:
            raise DataError(f"{name}: is empty")
        if zipfile.is_zipfile(file) and (captions := unpacked(file, place, name)) is not None:
            file.unlink()
            file = captions
        said = {"name": name[:200], "file": file.name}
        (place / "upload.json").write_text(json.dumps(said), encoding="utf-8")
        return self.find(place.name)


def _ending(name: str) -> str:
    """The part of a name that readers go by: .csv, .conllu.gz."""
    pure = PurePath(name)
    packed = pure.suffix.lower() if pure.suffix.lower() in _PACKED else ""
    ending = PurePath(plain_name(name) if packed else name).suffix.lower()
    return (ending if ending in _ENDINGS else ".txt") + packed


async def _write(file: Path, stream: AsyncIterator[bytes]) -> None:
    size = 0
    async with await anyio.open_file(file, "xb") as out:
        async for part in stream:
            size += len(part)
            if size > MOST_BYTES:
                raise Problem(413, f"the file is larger than {MOST_BYTES >> 30} GB; train on it by the command line")
            await out.write(part)
