"""The documentation tells the truth: every page's code runs, each page in a folder of its own."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import ostinato
from ostinato.cli.arguments import COMMANDS
from ostinato.native import library as native_library
from scripts.guide_drawings import drawings as guide_drawings
from scripts.page_times import TABLE, table
from tests.end_to_end import harness
from tests.end_to_end import page as page_module
from tests.end_to_end.page import LONG, PAGES, blocks, environment
from tests.end_to_end.shortened import SHORTER, lost
from tests.end_to_end.stand_in import stand_in

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CODED = [page for page in PAGES if list(blocks(page))]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=pytest.mark.slow if page.stem in SHORTER else ())
        for page in CODED
        if page.stem not in LONG or page.stem in SHORTER
    ],
)
def test_page_runs(page: Path, tmp_path: Path):
    if page.stem == "runtime" and isinstance(why := native_library.load(), str):
        pytest.skip(f"the runtime needs the native library, which is {why}")
    command = [sys.executable, str(Path(__file__).with_name("page.py")), str(page)]
    ran = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=1800)
    assert ran.returncode == 0, f"{page}\n{ran.stdout}\n{ran.stderr}"


@pytest.mark.parametrize("page", [page for page in CODED if page.stem in LONG], ids=lambda page: page.stem)
def test_long_page_runs(page: Path, tmp_path: Path):
    folder, given = tmp_path / "work", environment(tmp_path)
    folder.mkdir()
    with stand_in(tmp_path / "programs") as programs:
        given["PATH"] = f"{programs}{os.pathsep}{given['PATH']}"
        ran = harness.start([str(page)], folder, tmp_path / "logs", given, program=page_module.__name__).wait()
    assert ran.status == 0, f"{page}\n{ran.out}\n{ran.err}"


@pytest.mark.parametrize("page", CODED, ids=lambda page: page.stem)
def test_what_is_shortened_stands_there(page: Path):
    assert not list(lost(page.stem, [block.code for block in blocks(page)]))


def test_every_page_and_lesson_is_in_the_table_of_times():
    """Whoever adds code to a page runs `python -m scripts.page_times PAGE`; whoever has run a lesson, without PAGE."""
    assert TABLE.read_text(encoding="utf-8") == table()


def test_every_public_name_is_in_the_reference():
    page = (DOCS / "api" / "index.md").read_text()
    assert not [name for name in ostinato.__all__ if f"`ostinato.{name}`" not in page]


def test_drawings_of_the_architecture_are_of_the_rooms_there_are():
    drawn = runpy.run_path(str(ROOT / "scripts" / "architecture_drawing.py"))["drawings"]()
    for name, content in drawn.items():
        assert (DOCS / "images" / name).read_text(encoding="utf-8") == content, name


def test_drawings_of_guides_are_those_that_their_script_makes():
    assert len(guide_drawings()) > 5
    for name, content in guide_drawings().items():
        assert (DOCS / "images" / name).read_text(encoding="utf-8") == content, name


@pytest.mark.parametrize("page", sorted((DOCS / "guides").glob("*.md")), ids=lambda page: page.name)
def test_a_guide_has_a_picture_at_its_head(page: Path):
    head = re.split(r"^(?:##|```|- |\|)", page.read_text(encoding="utf-8"), maxsplit=1, flags=re.MULTILINE)[0]
    assert re.search(r"^!\[[^]]+\]\(\.\./", head, re.MULTILINE)


def test_pages_on_adding_name_files_that_are_there():
    """Whatever looks like a path of the package, of its tests or of the documentation, but for what is yet to be."""
    bases = (ROOT, ROOT / "src" / "ostinato")
    missing = []
    for page in ("adding-a-cell", "adding-a-task", "architecture"):
        named = re.findall(r"`((?:[\w-]+/)+[\w.-]*)`", (DOCS / f"{page}.md").read_text(encoding="utf-8"))
        assert len(named) > 5
        missing += [
            (page, path) for path in named if "NAME" not in path and not any((b / path).exists() for b in bases)
        ]
    assert not missing


LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src)=\"([^\"]+)\"")


def test_links_lead_somewhere_in_a_clone():
    """Pages that only the build makes have a few words in their place, where another page links to them."""
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "notebooks").glob("*.md")]
    links = [
        (page, one or other)
        for page in pages
        for one, other in LINK.findall(re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.M))
        if not re.match("[a-z]+:|#", one or other)
    ]
    assert len(links) > 300
    lost = [f"{page.relative_to(ROOT)}: {to}" for page, to in links if not (page.parent / to.split("#")[0]).exists()]
    assert not lost


def test_words_in_place_of_a_page_say_how_to_have_it():
    made = {f"cli/{'-'.join(command)}.md" for command in COMMANDS}
    made |= {f"api/{room.parent.name}.md" for room in (ROOT / "src" / "ostinato").glob("*/__init__.py")}
    stubs = [page for room in ("api", "cli") for page in (DOCS / room).rglob("*.md") if "index" not in page.name]
    assert len(stubs) > 3
    for stub in stubs:
        path = stub.relative_to(DOCS)
        assert str(path) in made, "a page of its own, which the build would replace"
        assert f"`make docs`, then open `site/{path.with_suffix('.html')}`" in stub.read_text("utf-8")
