"""Every kind of file is dropped: what the page takes it for, and the command that does the same as it."""

import base64
import json
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.end_to_end.studio.data import archive
from tests.end_to_end.studio.test_training import TEXT, drop, option, start
from tests.unit.studio.test_guessing import KINDS

SEEMS = {
    "text": "text",
    "words": "text",
    "conll": "tagged words",
    "pairs": "pairs of texts",
    "tabs": "pairs of texts",
    "ts": "series of numbers",
    "targets": "series of numbers",
    "captions": "pictures with captions",
}
#: What a column is for, of some files: by the words that the page has for it.
ROLES = {
    "reviews": {"review": "text", "sentiment": "label"},
    "scores": {"essay": "text", "score": "target"},
    "sorted": {"label": "label", "text": "text"},
    "months": {"month": "time", "sales": "target", "weather": "past"},
    "sensors": {"id": "id", "x": "values", "y": "values", "label": "label"},
    "conll": {"2": "column"},
}
DROP = """(zone, [name, packed]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(packed), (one) => one.charCodeAt(0))], name));
  const options = { dataTransfer: data, bubbles: true, cancelable: true };
  for (const kind of ['dragenter', 'dragover', 'drop']) zone.dispatchEvent(new DragEvent(kind, options));
}"""


def dragged(page, name, content):
    """Drag a file onto the page, and wait until it has been looked at."""
    packed = base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()
    page.locator(".drop").evaluate(DROP, [name, packed])
    page.locator(".drop strong", has_text=name).wait_for()
    page.locator("#seems").wait_for()


def words_of(page, *expected):
    """The command that the page shows, once it has these words."""
    for one in expected:
        page.locator(".command code", has_text=one).first.wait_for()
    return shlex.split(page.locator(".command code").inner_text())


@pytest.mark.slow
def test_a_file_of_each_kind_is_told_by_what_it_is(reader):
    page = reader.page
    for kind, (name, content, task, options) in KINDS.items():
        reader.go("runs")
        reader.go("train")
        dragged(page, name, content)
        assert page.locator("#seems").inner_text() == f"This seems to be {SEEMS.get(kind, 'a table')}", kind
        assert page.get_by_label("What is to be learned").input_value() == task, kind
        for column, role in ROLES.get(kind, {}).items():
            assert page.get_by_label(f"What {column} is for", exact=True).input_value() == role, (kind, column)
        if task == "caption":  # its pictures are to come as well
            page.get_by_role("alert").wait_for()
            assert "--images" in page.get_by_role("alert").inner_text()
            continue
        words = words_of(page, f"train {task}")
        for option_name, value in options.items():
            place = words.index(f"--{option_name.replace('_', '-')}")
            assert words[place + 1] == str(value), (kind, option_name)
        assert page.locator(".preview tbody tr").count() > 0
    reader.keep("train-series")
    reader.faults[:] = [fault for fault in reader.faults if "422" not in fault and "400" not in fault]


@pytest.mark.slow
def test_a_zip_of_pictures_with_their_captions(reader, runs):
    page = reader.page
    reader.go("train")
    dragged(page, "squares.zip", archive())
    assert page.locator("#seems").inner_text() == "This seems to be pictures with captions"
    assert page.get_by_label("What is to be learned").input_value() == "caption"
    assert page.locator(".preview tbody tr").first.inner_text().split("\t") == [
        "000000.png",
        "a red square on the right",
    ]
    option(page, "epochs", 1)
    option(page, "hidden", 8)
    page.get_by_text("more options").click()
    option(page, "picture size", 32)
    reader.keep("train-pictures")
    reader.require_open_to_all()
    start(page, "zipped")
    page.wait_for_function("() => /finished/.test(document.querySelector('h1 .state').textContent)", timeout=60_000)
    page.get_by_role("link", name="Try").last.click()
    page.locator(".thumbnails button").nth(23).wait_for()
    page.locator(".picture .attention span").first.wait_for()
    shutil.rmtree(runs / "zipped")


@pytest.mark.slow
def test_the_command_that_is_copied_does_the_same(reader, runs, tmp_path):
    page = reader.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    reader.go("train")
    drop(page, "fox.txt", TEXT)
    for name, value in (("hidden", 16), ("epochs", 1)):
        option(page, name, value)
    page.get_by_label("Name of the run").fill("by-page")
    words_of(page, "by-page", "--epochs 1")
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = shlex.split(page.evaluate("() => navigator.clipboard.readText()"))
    page.get_by_role("button", name="Start").click()
    page.wait_for_function("() => /finished/.test(document.querySelector('h1 .state')?.textContent)", timeout=60_000)
    assert copied[0] == "ostinato"
    out = copied.index("--out") + 1
    assert copied[out] == str(runs / "by-page")
    copied[out] = str(tmp_path / "by-hand")
    done = subprocess.run(
        [sys.executable, "-m", *copied], capture_output=True, text=True, timeout=120, check=False, cwd=runs.parent
    )
    assert done.returncode == 0, done.stderr
    one, other = (place / "model.safetensors" for place in (runs / "by-page", tmp_path / "by-hand"))
    assert one.read_bytes() == other.read_bytes()
    told = [json.loads((place.parent / "config.json").read_text())["options"] for place in (one, other)]
    assert told[0] | {"out": None} == told[1] | {"out": None}
    shutil.rmtree(runs / "by-page")
