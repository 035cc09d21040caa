"""A small language model to export, and what the command says of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ostinato
from ostinato.cli.main import main
from tests.end_to_end.test_json import faults

TEXT = "the cat sat on the mat and the dog sat on the log\n" * 40


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small language model."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(TEXT)
    options = {"hidden": 16, "embed": 8, "batch": 4, "steps": 10, "epochs": 2}
    ostinato.train("lm", folder / "text.txt", out=folder / "lm", level="char", **options)
    return str(folder / "lm")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def exported(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """What the command says, which keeps to its schema."""

    def said(*arguments: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["export", *arguments, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert not faults(found, "export")
        return found

    return said
