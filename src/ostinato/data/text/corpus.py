"""Token ids on disk: written once, mapped into memory from then on.

They lie in `$XDG_CACHE_HOME/ostinato` (by default `~/.cache/ostinato`), under a key that stands for the text's content
and the tokenizer's. Any file there may be deleted at any time.
"""

import hashlib
import json
import os
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np

from ostinato.config.text import Level
from ostinato.core.errors import DataError
from ostinato.data.text.reading import END, Block, Sample, Text, Undivided
from ostinato.data.text.tokenizer import TokenIds, Tokenizer
from ostinato.data.text.vocabulary import learn_tokenizer

#: Called with the characters done and the characters in all.
Progress: TypeAlias = Callable[[int, int], None]

_FORMAT = "1"  #: part of every key: raise it when the same text and options would give other content
_ABANDONED = 24 * 3600  #: seconds after which a temporary file belongs to no living process


def cache_folder() -> Path:
    """Where token ids are kept: `$XDG_CACHE_HOME/ostinato`, by default `~/.cache/ostinato`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has a relative path ignored.
    return (Path(base) if os.path.isabs(base) else Path(os.path.expanduser("~"), ".cache")) / "ostinato"


def learned_tokenizer(
    text: Text | Sample,
    level: Level,
    vocab_size: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    separator: str | None = None,
) -> Tokenizer:
    """`learn_tokenizer`, remembered from one run to the next in `cache_dir`, by default `cache_folder()`; with a
    separator of documents, which is one of the `vocab_size` tokens."""
    more = () if separator is None else (separator,)
    path = _entry(cache_dir, "tokenizer", text.digest, level, str(vocab_size), *more).with_suffix(".json")
    try:
        tokenizer = Tokenizer.load(path)
        if tokenizer.level == level:
            return tokenizer
    except DataError:
        pass  # not there, or damaged
    if separator is None:
        tokenizer = learn_tokenizer(text, level, vocab_size)
    else:
        others = None if vocab_size is None else vocab_size - 1
        tokenizer = learn_tokenizer(Undivided(text, separator), level, others).separating(separator)
    try:
        with _replacing(path) as file:
            file.write(tokenizer.to_json().encode())
    except OSError:
        pass  # learning again costs less than a warning; token_ids warns
    return tokenizer


def ids_file(text: Text | Sample, tokenizer: Tokenizer, cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Where `token_ids` keeps them."""
    return _entry(cache_dir, "ids", text.digest, tokenizer.digest).with_suffix(".bin")


def token_ids(
    text: Text | Sample,
    tokenizer: Tokenizer,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> TokenIds:
    """The ids of a text, as a read-only array `[tokens]` mapped from the cache; tokenized only where it is not there.

    Processes may do this at the same time. An entry that is damaged is made again. Where the cache, `cache_folder()` by
    default, cannot be written, a temporary file serves this run, with a warning. They are of `tokenizer.dtype`.

    Raises:
        DataError: the text cannot be read, or there is no room on disk for the ids.
    """
    path = ids_file(text, tokenizer, cache_dir)
    if (ids := _mapped(path, tokenizer)) is not None:
        return ids
    try:
        with _replacing(path) as file:
            record = _write(file, tokenizer.encode_blocks(_reported(text, progress)))
        with _replacing(path.with_suffix(".json")) as file:
            file.write(json.dumps(record).encode())
        return np.memmap(path, tokenizer.dtype, "r")
    except OSError as error:
        warnings.warn(
            f"token ids cannot be kept in {path.parent} ({error.strerror}): this run uses a temporary file, the next "
            "one starts anew; set XDG_CACHE_HOME to a folder that can be written",
            stacklevel=2,
        )
    return _temporary(text, tokenizer, progress)


def _entry(cache_dir: str | os.PathLike[str] | None, kind: str, *key: str) -> Path:
    digest = hashlib.sha256("\n".join((_FORMAT, *key)).encode()).hexdigest()
    return Path(cache_dir or cache_folder(), f"{kind}-{digest[:40]}")


def _mapped(path: Path, tokenizer: Tokenizer) -> TokenIds | None:
    """The cached ids, if they are there and whole."""
    try:
        record = json.loads(path.with_suffix(".json").read_bytes())
        ids = np.memmap(path, tokenizer.dtype, "r")
        checksum = 0
        for start in range(0, len(ids), 1 << 20):
            checksum = zlib.crc32(ids[start : start + (1 << 20)].data, checksum)
    except (OSError, ValueError):
        return None
    return ids if record == {"tokens": len(ids), "crc32": checksum} else None


def _write(file: IO[bytes], arrays: Iterable[TokenIds]) -> dict[str, int]:
    """Write arrays one behind the other; returns what their record says."""
    tokens = checksum = 0
    for array in arrays:
        file.write(array.data)
        tokens, checksum = tokens + len(array), zlib.crc32(array.data, checksum)
    return {"tokens": tokens, "crc32": checksum}


def _temporary(text: Text | Sample, tokenizer: Tokenizer, progress: Progress | None) -> TokenIds:
    """Ids in a file without a name, which is gone with the array."""
    try:
        with tempfile.TemporaryFile() as file:
            _write(file, tokenizer.encode_blocks(_reported(text, progress)))
            file.flush()
            return np.memmap(file, tokenizer.dtype, "r")
    except OSError as error:
        raise DataError(
            f"the token ids of {text.characters} characters cannot be written to {tempfile.gettempdir()}: "
            f"{error.strerror}; set TMPDIR or XDG_CACHE_HOME to a folder with room"
        ) from error


def _reported(text: Text | Sample, progress: Progress | None) -> Iterator[Block]:
    done = 0
    for block in text.blocks():
        yield block
        if block is not END and progress is not None:
            done += len(block)
            progress(done, text.characters)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file so that nobody ever sees part of it: under another name, then renamed."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_abandoned(path.parent)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            yield file.file
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob("*.tmp"):
        try:
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()
        except OSError:
            continue  # another process was faster
