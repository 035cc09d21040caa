"""Runs the code of one Markdown page, top to bottom, in the current folder.

    python page.py PAGE.md

- ```` ```python ```` blocks run in one Python, so a later one knows what an earlier one defined.
- ```` ```bash ```` blocks run by themselves, and stop at the first command that fails.
- a block with `title="NAME"` is not run but written to the file of that name.
- everything else, ```` ```text ```` above all, is left alone.

In a README, which also shows what must not run in a test, only blocks marked `run` count: ```` ```bash run ````.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')


class Block(NamedTuple):
    language: str
    code: str
    line: int
    file: str | None


def blocks(page: Path) -> Iterator[Block]:
    """What is to be run or written, in order."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        language, marks, code = found.groups()
        if page.name == "README.md" and "run" not in marks.split():
            continue
        title = TITLE.search(marks)
        if title or language in ("python", "bash"):
            yield Block(language, code, text.count("\n", 0, found.start()) + 1, title and title[1])


def run(page: Path) -> None:
    """Run every block; an error names the page and the line."""
    names = {"__name__": "__main__"}
    for language, code, line, file in blocks(page):
        if file:
            Path(file).write_text(code, encoding="utf-8")
        elif language == "python":
            exec(compile("\n" * line + code, str(page), "exec"), names)
        elif subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", code], check=False).returncode:
            sys.exit(f"{page}, line {line}: the block fails")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    run(Path(sys.argv[1]))
