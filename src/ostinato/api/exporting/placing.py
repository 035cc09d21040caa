"""Where what is exported goes: files that are written elsewhere first, and moved once all are whole and checked."""

import os
from pathlib import Path

from ostinato.core.errors import DataError
from ostinato.core.files import replacing


class Place:
    """What `--out` names: a file, where it has the ending of a format that is one file; else a folder.

    Args:
        out: as given.
        suffix: of a format that can be one file, such as ".onnx"; empty of one that never is.
        overwrite: whether files of the same names may be replaced.

    Raises:
        DataError: something stands in the way.
    """

    def __init__(self, out: str, suffix: str, *, overwrite: bool) -> None:
        self.out, self._overwrite = Path(out), overwrite
        self.is_file = bool(suffix) and self.out.suffix.lower() == suffix
        if self.out.is_dir() and self.is_file:
            raise DataError(f"--out {out}: expected a file, found a folder; choose another name")
        if self.out.exists() and not self.out.is_dir() and not self.is_file:
            raise DataError(f"--out {out}: expected a folder, found a file; choose another name")
        standing = self.out.exists() if self.is_file else self.out.is_dir() and any(self.out.iterdir())
        if standing and not overwrite:
            what = "is there already" if self.is_file else "holds files already"
            raise DataError(f"--out {out}: {what}; replace by --overwrite, or choose another name")
        above = next(parent for parent in self.out.absolute().parents if parent.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise DataError(f"--out {out}: cannot be written: {above} is no folder to write to; choose another place")

    def move(self, folder: Path) -> list[Path]:
        """Put all files of a folder in place; returns where they are.

        Raises:
            DataError: they cannot be written there.
        """
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        targets = [self.out] if self.is_file else [self.out / path.relative_to(folder) for path in files]
        try:
            for path, target in zip(files, targets, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                with replacing(target) as file:
                    file.write(path.read_bytes())
        except OSError as error:
            raise DataError(f"--out {self.out}: cannot be written: {error.strerror}; choose another place") from None
        return targets
