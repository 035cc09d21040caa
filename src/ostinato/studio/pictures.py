"""An archive of pictures with captions, unpacked under names of our own."""

import csv
import io
import zipfile
from pathlib import Path, PurePath, PurePosixPath

from ostinato.core.errors import DataError
from ostinato.data.pictures.captions import is_captions, read_captions

_PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm"}
#: Bytes and files that an archive unpacks to, at most.
_MOST_BYTES, _MOST_FILES = 8 << 30, 200_000


def unpacked(archive: Path, place: Path, name: str) -> Path | None:
    """Unpack pictures and their captions.

    Args:
        archive: a zip file.
        place: folder to unpack to: `captions.csv`, and the pictures in `pictures`, called by their numbers.
        name: of the archive, for messages.

    Returns:
        The table of captions; None of an archive without pictures.

    Raises:
        DataError: pictures without a table of captions, too many or too large ones, or a damaged archive.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [info for info in packed.infolist() if not info.is_dir() and not _hidden(info.filename)]
            pictures = [info for info in members if PurePosixPath(info.filename).suffix.lower() in _PICTURES]
            if not pictures:
                return None
            if len(pictures) > _MOST_FILES or sum(info.file_size for info in pictures) > _MOST_BYTES:
                raise DataError(f"{name}: unpacks to more than {_MOST_FILES:,} pictures or {_MOST_BYTES >> 30} GB")
            captions = _captions(packed, [info for info in members if info not in pictures], place, name)
            names = _write(packed, pictures, place / "pictures")
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise DataError(f"{name}: cannot be unpacked: {error}") from None
    return _renamed(captions, names, place, name)


def _hidden(path: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(path).parts)


def _captions(packed: zipfile.ZipFile, others: list[zipfile.ZipInfo], place: Path, name: str) -> Path:
    """The file that has captions, written out."""
    for info in others:
        ending = PurePosixPath(info.filename).suffix.lower()
        if ending not in (".csv", ".tsv", ".txt", ".jsonl", ".json") or info.file_size > 1 << 30:
            continue
        file = place / f"found{ending}"
        file.write_bytes(packed.read(info))
        first = file.read_bytes()[:10_000].decode("utf-8", "replace").splitlines()
        if ending in (".jsonl", ".json") or (first and is_captions(first[0])):
            return file
        file.unlink()
    raise DataError(
        f"{name}: holds pictures, but no table of captions; expected a CSV file with the columns image and caption "
        "beside them"
    )


def _write(packed: zipfile.ZipFile, pictures: list[zipfile.ZipInfo], folder: Path) -> dict[str, str]:
    """Write pictures under numbers; returns the numbers by the names they had, with and without folders."""
    folder.mkdir()
    names: dict[str, str] = {}
    left = _MOST_BYTES
    for number, info in enumerate(pictures):
        ours = f"{number:06d}{PurePosixPath(info.filename).suffix.lower()}"
        with packed.open(info) as content, (folder / ours).open("xb") as out:
            while chunk := content.read(1 << 20):
                left -= len(chunk)
                if left < 0:  # the archive says less than it holds
                    raise DataError(f"an archive unpacks to more than {_MOST_BYTES >> 30} GB")
                out.write(chunk)
        names[info.filename] = names[PurePosixPath(info.filename).name] = ours
    return names


def _renamed(captions: Path, names: dict[str, str], place: Path, name: str) -> Path:
    """The captions of the pictures that are there, which are now called otherwise."""
    found = read_captions(str(captions))
    line, count = io.StringIO(), 0
    rows = csv.writer(line, lineterminator="\n")
    rows.writerow(("image", "caption"))
    for picture, texts in zip(found.names, found.texts, strict=True):
        ours = names.get(picture) or names.get(PurePath(picture).name)
        for text in texts if ours else ():
            rows.writerow((ours, text))
            count += 1
    captions.unlink()
    if not count:
        raise DataError(f"{name}: none of the pictures that its captions name is in it")
    file = place / "captions.csv"
    file.write_text(line.getvalue(), encoding="utf-8")
    return file
