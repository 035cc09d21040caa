import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ostinato.data.text.reading import END, Text

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def corpora() -> Callable[[str], Path]:
    """A part of the public data by its path; skips where it is not there."""

    def find(part: str) -> Path:
        path = REPOSITORY / os.environ.get("OSTINATO_DATA", "../shared/data") / part
        if not path.exists():
            pytest.skip(f"no real data in {path} (OSTINATO_DATA names the folder of all of it)")
        return path

    return find


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write a file below the test's folder; gives its path."""

    def file(content: str | bytes, name: str = "text.txt") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return file


@pytest.fixture
def documents() -> Callable[[Text], list[str]]:
    """What a text streams, as whole documents."""

    def join(text: Text) -> list[str]:
        found = [""]
        for block in text.blocks():
            if block is END:
                found.append("")
            else:
                assert block
                found[-1] += block
        return found

    return join
