"""How long the code of each page computes: `python -m scripts.page_times [PAGE...]`, such as `layers`; `all` for all.

Each runs as the tests run it, in a folder of its own. Times are kept in benchmarks/results/pages.json, and the table of
them and of the lessons', which `scripts/notebooks.py` keeps, is written to pages.md beside it. Without a page only that
is done. Linux.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from scripts.notebooks import OUTPUTS, Seconds, children, sources
from tests.end_to_end.page import PAGES, blocks, environment
from tests.end_to_end.shortened import SHORTER

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
KEPT, TABLE = RESULTS / "pages.json", RESULTS / "pages.md"
#: Of `prctl`: what a process leaves behind becomes a child of this one, so that its time is known.
SUBREAPER = 36
ABOUT = """# Pages and lessons: how long their code computes

By `python -m scripts.page_times` and `python scripts/notebooks.py`, which run all code of a page as the tests do.
Seconds of processor time, of all processes together, which other work on the machine adds little to; and seconds by the
clock of the same run, which it may have made several times as many. AMD Zen 4 for guides of many commands, Zen 3 for
the rest, two cores. `make test` runs all of them: long trainings of those that are called shortened it cuts short, as
`tests/end_to_end/shortened.py` has it. `make test-all` runs these as they stand besides.

"""


class Row(NamedTuple):
    """A page: its path, whether `make test` runs it as it stands, and how long that took."""

    page: str
    quick: bool
    seconds: Seconds | None


def rows() -> list[Row]:
    """Of every page that has code, and every lesson."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    found = []
    for page in PAGES:
        if list(blocks(page)):
            seconds = Seconds(*kept[page.stem]) if page.stem in kept else None
            found.append(Row(str(page.relative_to(ROOT)), page.stem not in SHORTER, seconds))
    for source in sources():
        told = json.loads((OUTPUTS / f"{source.stem}.json").read_text(encoding="utf-8"))
        seconds = Seconds(told["seconds"], told["processor"])
        found.append(Row(f"notebooks/{source.name}", source.stem not in SHORTER, seconds))
    return found


def table() -> str:
    """As Markdown, with sums."""
    head = "| page | in `make test` | processor | clock |\n|---|---|---:|---:|\n"
    lines = []
    for row in rows():
        took = [f"{seconds:.0f}" for seconds in row.seconds or ()] or ["not measured"] * 2
        how = "as it stands" if row.quick else "shortened"
        lines.append(f"| [{row.page}](../../{row.page}) | {how} | {took[-1]} | {took[0]} |")
    sums = []
    for quick, name in ((True, "those that run as they stand"), (False, "all")):
        each = [row.seconds.processor for row in rows() if row.seconds and row.quick >= quick]
        sums.append(f"{sum(each):.0f} of {name} ({len(each)} pages)")
    return f"{ABOUT}{head}" + "\n".join(lines) + f"\n\nSeconds of processor time together: {', '.join(sums)}.\n"


def run(page: Path) -> Seconds:
    """Run a page's code, and all that it starts.

    Raises:
        subprocess.CalledProcessError: it has failed; what it said stands above.
    """
    begun, computed = time.perf_counter(), children()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "tests" / "end_to_end" / "page.py"), str(page)]
        subprocess.run(command, cwd=folder, env=environment(Path(folder)), stdout=subprocess.DEVNULL, check=True)
        with suppress(ChildProcessError):
            while True:  # the server that commands are forked from, above all
                os.wait()
    return Seconds(round(time.perf_counter() - begun, 1), round(children() - computed, 1))


def main() -> None:
    """Run what is named, keep its time, write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="such as layers; all for all")
    named = parser.parse_args().pages
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    for page in PAGES:
        if list(blocks(page)) and (page.stem in named or named == ["all"]):
            seconds = run(page)
            print(f"{page.stem:<28}{seconds.wall:>7.1f} s, {seconds.processor:>7.1f} s of them computing", flush=True)
            kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
            kept[page.stem] = seconds
            KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    TABLE.write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main()
