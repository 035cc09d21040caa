"""What others wrote is as they published it, and nothing of the page asks another host."""

import hashlib
import re

from ostinato.studio.app import FILES

VENDOR = FILES / "vendor"
ROW = re.compile(r"^\| (\S+) \| \S+ \| [\d.]+ \| [\w.-]+ \| \S+ \| ([0-9a-f]{64}) \|$", re.MULTILINE)


def test_checksums_of_vendored_files_are_those_written_down():
    written = dict(ROW.findall((VENDOR / "README.md").read_text()))
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    del there["README.md"]
    assert there == written


def test_every_module_that_the_page_imports_is_there():
    known = set(re.findall(r'"([\w/]+)": "/page/vendor/', (FILES / "index.html").read_text()))
    for file in FILES.rglob("*.js"):
        if file.parent == VENDOR:
            continue
        for name in re.findall(r'(?:from|import) "([^"]+)"', file.read_text()):
            assert name in known or (file.parent / name).is_file(), f"{file.name}: {name}"


def test_own_files_name_no_other_host():
    for file in FILES.rglob("*.*"):
        if file.parent != VENDOR and file.suffix in (".js", ".css", ".html"):
            assert not re.findall(r"(?:https?:)?//[\w-]+\.[\w.]+", file.read_text()), file
