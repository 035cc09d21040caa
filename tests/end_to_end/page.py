"""Runs the code of one Markdown page, top to bottom, in the current folder.

    python page.py PAGE.md

- ```` ```python ```` blocks run in one Python, so a later one knows what an earlier one defined.
- ```` ```bash ```` blocks run by themselves, and stop at the first command that fails. A line that is nothing but an
  `ostinato` command is forked off a server that has imported torch, which spares its seconds; the shell runs the rest.
- a block with `title="NAME"` is not run but written to the file of that name.
- everything else, ```` ```text ```` above all, is left alone.

`make test` runs long pages in less time (`main`): trainings are cut short where `shortened.py` says so, and the page
is forked off such a server itself, as is every command (`stand_in.py`).

In a README, which also shows what must not run in a test, only blocks marked `run` count: ```` ```bash run ````.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')
ROOT = Path(__file__).parents[2]
#: Pages whose code is run. A Korean page has its original's code: tests/unit/test_translations.py compares them.
PAGES = [
    *sorted(page for page in (ROOT / "docs" / "guides").glob("*.md") if not page.name.endswith(".ko.md")),
    ROOT / "docs" / "how-recurrence-works.md",
    ROOT / "docs" / "index.md",
    ROOT / "README.md",
]
#: Those of many commands, which `make test` has forked.
LONG = {"caption", "classify", "inspect", "language-model", "own-cell", "benchmarks"}
LONG |= {"run-folder", "scikit-learn", "tag", "translate", "ship-a-model", "search", "forecast", "regress"}
LONG |= {"bring-your-weights", "several-machines", "serve", "transcribe", "from-keras", "from-the-book", "inside"}
LONG |= {"when-training-goes-wrong", "text-data"}
#: What only a shell understands.
SHELL = re.compile(r"[|<>&;$`*?~#(){}]")


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


def environment(folder: Path) -> dict[str, str]:
    """Of a page that runs in a folder: the programs of this Python, no files of the user's, one thread."""
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "OMP_NUM_THREADS": "1",
    }


def main(arguments: list[str]) -> int:
    """Run a page, shortened; commands by the `ostinato` that is found first."""
    from tests.end_to_end.shortened import shortened

    sys.path.insert(0, os.getcwd())
    (page,) = map(Path, arguments)
    run(page, partial(shortened, page.stem), bash)
    return 0


def bash(code: str) -> bool:
    """Run a block's commands by the shell; whether all succeeded."""
    return subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", code], check=False).returncode == 0


def run(page: Path, change: Callable[[str], str] = str, shell: Callable[[str], bool] | None = None) -> None:
    """Run every block.

    Args:
        page: where they stand; an error names it and the line.
        change: what is made of their code before.
        shell: runs shell code, and says whether that succeeded; by default `forked`.
    """
    names = {"__name__": "__main__"}
    for language, code, line, file in blocks(page):
        code = change(code)
        if file:
            Path(file).write_text(code, encoding="utf-8")
        elif language == "python":
            exec(compile("\n" * line + code, str(page), "exec"), names)
        elif not (shell or forked)(code):
            sys.exit(f"{page}, line {line}: the block fails")
        sys.stdout.flush()


def forked(code: str) -> bool:
    """The same as `bash`; what it need not see is forked."""
    lines = code.replace("\\\n", " ").splitlines()
    plain = [line.startswith("ostinato ") and not SHELL.search(line) for line in lines]
    if not any(plain) or not all(map(stands_alone, lines)):
        return bash(code)
    return all(
        command(shlex.split(line)[1:]) if alone else bash(line) for line, alone in zip(lines, plain, strict=True)
    )


def stands_alone(line: str) -> bool:
    """Whether a line neither goes on in the next nor changes what the next one sees."""
    try:
        shlex.split(line)
    except ValueError:  # a quotation over several lines
        return False
    return not re.match(r"\s|(cd|export)\b", line)


def command(arguments: list[str]) -> bool:
    """Run `ostinato`; what it printed is printed on."""
    from tests.end_to_end import harness

    with tempfile.TemporaryDirectory() as logs:
        done = harness.start(arguments, Path.cwd(), Path(logs) / "logs", dict(os.environ)).wait()
    print(done.out, end="", flush=True)
    print(done.err, end="", file=sys.stderr, flush=True)
    return done.status == 0


if __name__ == "__main__":
    sys.path[:0] = [os.getcwd(), str(ROOT)]
    run(Path(sys.argv[1]))
