"""How soon the studio shows something, and what watching costs: `python scripts/studio_times.py pictures|start|watch`.

Needs playwright and a chromium. `pictures`: from the start of the command to the first picture, and to the table of
runs. `start`: from a click on Start to the first point of the curve. `watch`: the speed of one training while a page
shows it and while none does, in turn, so that what else the machine does falls on both alike. `--threads N` is the
training's.
"""

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

TEXT = "The quick brown fox jumps over the lazy dog, and nobody had said a word of it. " * 4_000
POINT = "() => /\\d/.test(document.querySelector('.figures dd')?.textContent ?? '')"
DRAWN = "() => document.querySelector('.chart canvas')?.width > 0"
SEGMENT = 6.0


@contextmanager
def studio(runs: Path) -> Iterator[tuple[str, float]]:
    """A server's address, and when it was started."""
    began = time.monotonic()
    command = [sys.executable, "-m", "ostinato", "studio", str(runs), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://\S+\?key=[\w-]+", process.stdout.readline())
    assert found is not None
    try:
        yield found[0], began
    finally:
        process.terminate()
        process.wait()


def pictures(page: Page, runs: Path, rounds: int, threads: int) -> None:
    """Seconds from the command to the first picture, and to the table."""
    seen = []
    for _ in range(rounds):
        with studio(runs) as (address, began):
            page.goto(address, wait_until="commit")
            page.locator("h1").wait_for()
            first = time.monotonic() - began
            page.locator("table.runs, a.button").first.wait_for()
            seen.append((first, time.monotonic() - began))
            page.goto("about:blank")
    tell("first picture, seconds", [first for first, _ in seen])
    tell("table of runs, seconds", [table for _, table in seen])


def begun(page: Page, address: str, name: str, seconds: int, threads: int) -> float:
    """Drop a text and click Start; when that was."""
    page.goto(f"{address.partition('?')[0]}#/train")
    page.reload()
    page.locator(".drop input").set_input_files({"name": "fox.txt", "mimeType": "text/plain", "buffer": TEXT.encode()})
    page.get_by_label("hidden", exact=True).fill("128")
    page.get_by_label("time limit").fill(str(seconds))
    page.get_by_label("Name of the run").fill(name)
    if threads:
        page.get_by_text("more options").click()
        page.get_by_label("threads", exact=True).fill(str(threads))
    page.locator(".command code", has_text=name).wait_for()
    page.wait_for_timeout(1_000)  # as somebody does who looks at the command
    page.get_by_role("button", name="Start").click()
    return time.monotonic()


def start(page: Page, runs: Path, rounds: int, threads: int) -> None:
    """Seconds from a click on Start to the first point of the curve."""
    found = []
    with studio(runs) as (address, _):
        page.goto(address)
        for number in range(rounds):
            began = begun(page, address, f"point-{number}", 30, threads)
            page.wait_for_function(POINT, polling=20)
            page.wait_for_function(DRAWN, polling=20)
            found.append(time.monotonic() - began)
            page.get_by_role("button", name="Stop").click()
            page.get_by_role("button", name="Go on").wait_for()
    tell("first point of the curve after Start, seconds", found)


def watch(page: Page, runs: Path, rounds: int, threads: int) -> None:
    """Tokens a second of one training, in segments with a page that watches and with none."""
    metrics = {place / "metrics.jsonl" for place in (runs / "watched", runs / "watched" / ".new")}
    speeds: dict[bool, list[float]] = {True: [], False: []}
    busy: dict[str, list[float]] = {"server": [], "browser": []}
    with studio(runs) as (address, _):
        page.goto(address)
        processes = {"server": "ostinato studio", "browser": "chromium"}
        begun(page, address, "watched", int(3 * rounds * SEGMENT) + 60, threads)
        page.wait_for_function(POINT)
        page.wait_for_timeout(2_000)
        draw = random.Random(0)
        for _ in range(rounds):
            for watched in draw.sample([True, False], 2):
                page.goto(f"{address.partition('?')[0]}#/train/watched" if watched else "about:blank")
                page.wait_for_timeout(1_000)  # the page itself is loaded
                before, used = tokens(metrics), {name: processor(words) for name, words in processes.items()}
                page.wait_for_timeout(1_000 * SEGMENT)
                after = tokens(metrics)
                for name, words in processes.items() if watched else ():
                    busy[name].append(100 * (processor(words) - used[name]) / SEGMENT)
                speeds[watched].append((after[0] - before[0]) / (after[1] - before[1]))
        page.goto(f"{address.partition('?')[0]}#/train/watched")
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Go on").wait_for()
    tell("tokens a second, watched", speeds[True], 0)
    tell("tokens a second, alone", speeds[False], 0)
    for name, shares in busy.items():
        tell(f"percent of a core that the {name} takes, watched", shares, 1)
    pairs = [100 * (1 - one / other) for one, other in zip(speeds[True], speeds[False], strict=True)]
    tell("slowed by, percent", pairs, 1)


def tokens(metrics: set[Path]) -> tuple[int, float]:
    """Tokens trained on by the last line that was written, and seconds of training until then."""
    for file in metrics:
        if file.exists():
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            last = [line for line in lines if "tokens_per_second" in line][-1]
            return last["tokens"], last["seconds"]
    raise FileNotFoundError(metrics)


def processor(words: str) -> float:
    """Seconds of the processor that processes with these words in their command have taken, of those that we began."""
    ours, seconds = {os.getpid()}, 0.0
    for place in sorted(Path("/proc").glob("[0-9]*"), key=lambda one: int(one.name)):
        try:
            command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            numbers = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(numbers[1]) in ours:
            ours.add(int(place.name))
            seconds += (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK") * (words in command)
    return seconds


def tell(what: str, found: list[float], digits: int = 2) -> None:
    """Print the median, and all."""
    print(f"{what}: median {statistics.median(found):.{digits}f} of {[round(one, digits) for one in found]}")


PARTS: dict[str, Callable[[Page, Path, int, int], None]] = {"pictures": pictures, "start": start, "watch": watch}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=list(PARTS))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--threads", type=int, default=0)
    asked = parser.parse_args()
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as place:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(bypass_csp=True).new_page()
        PARTS[asked.part](page, Path(place) / "runs", asked.rounds, asked.threads)
        browser.close()


if __name__ == "__main__":
    main()
