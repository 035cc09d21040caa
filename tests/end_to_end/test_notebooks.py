"""Every notebook runs, and its page shows what its code gave."""

import ast
import importlib.util
import json
import re
import shlex
from functools import partial
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

import ostinato
from ostinato.cli.arguments import parse
from ostinato.config.merge import names
from ostinato.core.errors import OstinatoError
from ostinato.tasks import TRAIN_OPTIONS
from tests.end_to_end.shortened import SHORTER, lost, shortened

ROOT = Path(__file__).parents[2]


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


notebooks, hooks = loaded(ROOT / "scripts" / "notebooks.py"), loaded(ROOT / "docs" / "notebook_hooks.py")
SOURCES = notebooks.sources()


@pytest.mark.parametrize(
    "source",
    [pytest.param(one, id=one.stem, marks=pytest.mark.slow if one.stem in SHORTER else ()) for one in SOURCES],
)
def test_it_runs(source, tmp_path):
    it_runs(source, tmp_path)


@pytest.mark.parametrize("source", [one for one in SOURCES if one.stem in SHORTER], ids=lambda one: one.stem)
def test_it_runs_shortened(source, tmp_path):
    it_runs(source, tmp_path, partial(shortened, source.stem))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_what_is_shortened_stands_there(source):
    assert not list(lost(source.stem, notebooks.code(jupytext.read(source))))


def it_runs(source, tmp_path, change=str):
    notebook, seconds = notebooks.run(source, tmp_path, change)
    pictures = sum(
        "image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ())
    )
    print(f"{source.stem}: {seconds.wall:.0f} s, {seconds.processor:.0f} s of them computing, {pictures} pictures")
    assert pictures


def missing(code):
    """What a cell takes of packages, or gives a training or a command of ours, that is not there."""
    if code.startswith("%%bash"):
        lines = code.replace("\\\n", " ").splitlines()
        return [line for line in lines if line.startswith("ostinato ") and not parses(shlex.split(line)[1:])]
    found = []
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.ImportFrom(module, taken):
                there = importlib.import_module(module)
                found += [f"{module}.{one.name}" for one in taken if not hasattr(there, one.name)]
            case ast.Attribute(ast.Name("ostinato"), name) if not hasattr(ostinato, name):
                found.append(f"ostinato.{name}")
            case ast.Call(ast.Attribute(ast.Name("ostinato"), "train"), [ast.Constant(task), *_], given):
                found += [one.arg for one in given if one.arg not in names(TRAIN_OPTIONS[task])]
    return found


def parses(arguments):
    try:
        return parse(arguments)
    except (SystemExit, OstinatoError):
        return None


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_what_it_uses_is_there(source):
    """Also of a lesson that takes too long to run every time."""
    assert not [name for code in notebooks.code(jupytext.read(source)) for name in missing(code)]


def test_what_is_not_there_is_missed():
    assert missing("from ostinato import Nothing, Recurrent\nostinato.none(1)") == ["ostinato.Nothing", "ostinato.none"]
    assert missing("ostinato.train('lm', 'a.txt', out='b', hiden=3)") == ["hiden"]
    assert missing("%%bash\nls -l\nostinato train lm a.txt --out b \\\n  --hiden 3")
    assert not missing("%%bash\nls -l\nostinato train lm a.txt --out b \\\n  --hidden 3")


def test_a_notebook_that_fails_is_found(tmp_path):
    (tmp_path / "bad.md").write_text("# Bad\n\n```python\n1 / 0\n```\n")
    with pytest.raises(Exception, match="ZeroDivisionError"):
        notebooks.run(tmp_path / "bad.md", tmp_path)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_outputs_are_those_of_its_code(source):
    """Whoever changes code runs `python scripts/notebooks.py NAME`; prose may change alone."""
    kept = json.loads((notebooks.OUTPUTS / f"{source.stem}.json").read_text(encoding="utf-8"))
    notebook = jupytext.read(source)
    assert kept["code"] == notebooks.fingerprint(notebook), f"python scripts/notebooks.py {source.stem}"
    assert len(kept["cells"]) == len(notebooks.code(notebook))
    # Under three minutes; computing may take longer on two cores, and by the clock it does where others are at work.
    assert min(kept["seconds"], kept["processor"]) < 180
    pictures = {one["picture"] for cell in kept["cells"] for one in cell if "picture" in one}
    assert pictures == {file.name for file in notebooks.OUTPUTS.glob(f"{source.stem}-*.png")}
    assert pictures
    assert all((notebooks.OUTPUTS / name).stat().st_size < 300_000 for name in pictures)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_what_is_downloaded_has_code_and_outputs(source):
    notebook = nbformat.reads(hooks.as_notebook(source), as_version=4)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in jupytext.read(source).cells]
    assert any("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ()))


def test_a_page_has_outputs_behind_their_code():
    outputs = {
        "name": "a",
        "seconds": 3.0,
        "processor": 2.0,
        "cells": [[{"text": "one"}], [], [{"picture": "a-1.png"}]],
    }
    page = hooks.woven(
        "# A\n\nFirst.\n\n```python\nprint(1)\n```\n\n## B\n\n```bash\nls\n```\n\n```python\ndraw()\n```\n", outputs
    )
    assert re.search(
        r'# A\n\n.*<a href="a.ipynb".*\n\nFirst\.\n\n```python\nprint\(1\)\n```\n\n```text\none\n```\n\n## B\n', page
    )
    assert "```bash\nls\n```\n\n```python\ndraw()\n```\n\n![B](outputs/a-1.png)" in page


def test_every_example_opens_as_a_notebook():
    for program in hooks.programs():
        notebook = nbformat.reads(hooks.example_notebook(program), as_version=4)
        written = {
            cell.source.split("\n")[0].split()[-1] for cell in notebook.cells if cell.source.startswith("%%write")
        }
        imported = set(re.findall(r"^from (\w+) import", program.read_text(), re.MULTILINE))
        assert {f"{name}.py" for name in imported if (program.parent / f"{name}.py").exists()} < written
    assert "numpy_rnnlm.py" in {program.name for program in hooks.programs()}


def test_pictures_of_the_gallery_are_those_of_examples():
    """Whoever adds an example adds its command to scripts/gallery_pictures.py, and runs that."""
    programs = {program.stem for program in hooks.programs()}
    assert loaded(ROOT / "scripts" / "gallery_pictures.py").COMMANDS.keys() == programs
    assert {picture.stem for picture in hooks.PICTURES.iterdir()} == programs
    assert all(picture.stat().st_size < 100_000 for picture in hooks.PICTURES.iterdir())


@pytest.mark.parametrize("ending", [".md", ".ko.md"])
def test_the_gallery_lists_every_lesson_also_where_it_is_not_built(ending):
    page = ROOT / "docs" / f"gallery{ending}"
    (listed,) = hooks.LESSONS.findall(page.read_text(encoding="utf-8"))
    lessons = [source.with_suffix(ending) for source in hooks.lessons()]
    titles = [re.search("^# (.*)$", one.read_text(encoding="utf-8"), re.MULTILINE)[1] for one in lessons]
    found = re.findall(r"^\d+\. \[(.*)\]\((.*)\)$", listed, re.MULTILINE)
    assert found == [(title, f"../notebooks/{one.name}") for title, one in zip(titles, lessons, strict=True)]


def test_the_gallery_tells_of_every_example_in_korean():
    cards = hooks.program_list(korean=True).split("\n-   ")[1:]
    assert len(cards) == len(hooks.programs())
    assert all(re.search("[가-힣]", card.replace("노트북으로 열기", "")) for card in cards)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_korean_lesson_opens_as_a_korean_notebook(source):
    twin = source.with_suffix(".ko.md")
    korean, english = (nbformat.reads(hooks.as_notebook(one), as_version=4).cells for one in (twin, source))
    assert [cell for cell in korean if cell.cell_type == "code"] == [c for c in english if c.cell_type == "code"]
    assert re.match("# .*[가-힣]", korean[0].source)
    assert "follows:" not in "".join(cell.source for cell in korean)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hello", "sine"])
def test_an_example_runs_as_a_notebook(name, tmp_path):
    notebook = nbformat.reads(hooks.example_notebook(ROOT / "examples" / f"{name}.py"), as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert "LSTM" in "".join(output.text for output in notebook.cells[-2].outputs if output.output_type == "stream")
    assert notebook.cells[-1].outputs
