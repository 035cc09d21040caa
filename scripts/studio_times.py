"""How soon the studio shows something, and what watching costs: `python scripts/studio_times.py [--rounds 3]`.

Needs playwright and a chromium. Times are from the start of the command to the first picture, and to the table of runs;
from a click on Start to the first point of the curve; and the speed of a training alone, and while a page watches it.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

TEXT = "The quick brown fox jumps over the lazy dog, and nobody had said a word of it. " * 4_000
POINT = "() => /\\d/.test(document.querySelector('.figures dd')?.textContent ?? '')"


def studio(runs: Path) -> tuple[subprocess.Popen[str], str, float]:
    """A server, its address, and when it was started."""
    began = time.monotonic()
    command = [sys.executable, "-m", "ostinato", "studio", str(runs), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://\S+\?key=[\w-]+", process.stdout.readline())
    assert found is not None
    return process, found[0], began


def first_pictures(page: Page, runs: Path) -> tuple[float, float]:
    """Seconds from the command to the first picture, and to the table."""
    process, address, began = studio(runs)
    try:
        page.goto(address, wait_until="commit")
        page.locator("h1").wait_for()
        first = time.monotonic() - began
        page.locator("table.runs, a.button").first.wait_for()
        return first, time.monotonic() - began
    finally:
        process.terminate()
        process.wait()


def first_point(page: Page, address: str, name: str) -> float:
    """Seconds from a click on Start to the first point of the curve."""
    page.goto(address)
    page.goto(f"{address.partition('?')[0]}#/train")
    page.locator(".drop input").set_input_files({"name": "fox.txt", "mimeType": "text/plain", "buffer": TEXT.encode()})
    page.get_by_label("hidden", exact=True).fill("128")
    page.get_by_label("time limit").fill("20")
    page.get_by_label("Name of the run").fill(name)
    page.locator(".command code", has_text=name).wait_for()
    page.get_by_role("button", name="Start").click()
    began = time.monotonic()
    page.wait_for_function(POINT)
    return time.monotonic() - began


def speed(run: Path) -> float:
    """Tokens a second of the second half of a training."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = [line["tokens_per_second"] for line in lines if "tokens_per_second" in line]
    return statistics.median(found[len(found) // 2 :])


def wait_until_done(page: Page, name: str, address: str) -> None:
    """Until a training has ended; the page may be elsewhere."""
    path = f"{address.partition('?')[0]}studio/trainings/{name}"
    while page.request.get(path).json()["running"]:
        time.sleep(1)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as place:
        runs = Path(place) / "runs"
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(bypass_csp=True)
        page = context.new_page()
        seen = [first_pictures(page, runs) for _ in range(rounds)]
        print("first picture", [round(first, 2) for first, _ in seen], "table", [round(table, 2) for _, table in seen])
        process, address, _ = studio(runs)
        speeds: dict[str, list[float]] = {"watched": [], "alone": []}
        points = []
        for number in range(rounds):
            for kind, found in speeds.items():
                name = f"{kind}-{number}"
                points.append(first_point(page, address, name))
                if kind == "alone":
                    page.goto("about:blank")
                wait_until_done(page, name, address)
                found.append(speed(runs / name))
        print("first point after Start", [round(each, 2) for each in points])
        print("tokens a second", {kind: [round(each) for each in found] for kind, found in speeds.items()})
        slowed = 1 - statistics.median(speeds["watched"]) / statistics.median(speeds["alone"])
        print(f"slowed by a page that watches: {100 * slowed:.1f} %")
        process.terminate()
        process.wait()
        browser.close()


if __name__ == "__main__":
    main()
