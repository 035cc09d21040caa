"""The studio's pictures in the docs: `python scripts/studio_pictures.py RUNS_DIR NAME TEXT`.

Needs playwright, a chromium and Pillow. `studio.png` is Inside with a run of the folder, a language model at level
char, its text coloured by the unit of h that turns most; `studio-train.png` a training on TEXT, a file, started from
the page. Both have 2 pixels a point, and 256 colours.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

TEXT = "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n"
SELECTED = (TEXT.index("All:"), TEXT.index("All:") + 5)
IMAGES = Path(__file__).parents[1] / "docs" / "images"


#: The unit whose colour changes most from step to step.
MOST_MOVED = """() => {
  const { width, height } = document.querySelectorAll('.field-of-units canvas')[4];
  const pen = document.querySelectorAll('.field-of-units canvas')[4].getContext('2d');
  const { data } = pen.getImageData(0, 0, width, height);
  const turns = [...Array(height).keys()].map((unit) => {
    let sum = 0;
    for (let at = 4 * unit * width; at < 4 * ((unit + 1) * width - 9); at += 4)
      sum += Math.abs(data[at + 4] - data[at]);
    return sum;
  });
  return turns.indexOf(Math.max(...turns));
}"""


def inside(page: Page, home: str, name: str) -> None:
    """Every gate of a run over a text, which is coloured by a unit."""
    page.goto(f"{home}#/inside/{name}")
    page.locator(".panel").first.wait_for(timeout=60_000)
    page.get_by_label("Text that the runs read").fill(TEXT)
    field = page.get_by_label("Text that the runs read")
    field.evaluate("(one, [begin, end]) => { one.focus(); one.setSelectionRange(begin, end); }", SELECTED)
    page.locator(".units button").first.wait_for()
    state = page.locator(".field-of-units").nth(4)
    box, units = state.bounding_box(), int(state.get_attribute("aria-valuemax") or 0) + 1
    assert box is not None
    state.click(position={"x": 30, "y": box["height"] * (page.evaluate(MOST_MOVED) + 0.5) / units})
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    page.mouse.move(5, 5)
    page.wait_for_timeout(500)
    keep(page, "studio.png")


def training(page: Page, home: str, text: Path) -> None:
    """A training under way, its curve and what it writes."""
    page.goto(f"{home}#/train")
    page.locator(".drop input").set_input_files(text)
    page.get_by_label("hidden", exact=True).fill("48")
    page.get_by_label("time limit").fill("60")
    page.get_by_label("Name of the run").fill("first-try")
    page.locator(".command code", has_text="first-try").wait_for()
    page.get_by_role("button", name="Start").click()
    page.locator(".written").wait_for(timeout=120_000)
    page.locator(".command").evaluate("(one) => one.remove()")  # it has the folder of whoever makes the picture
    page.wait_for_timeout(1_000)
    keep(page, "studio-train.png")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Go on").wait_for(timeout=60_000)


def keep(page: Page, name: str) -> None:
    """What the window shows, in few colours."""
    page.screenshot(path=IMAGES / name)
    Image.open(IMAGES / name).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


def main(folder: str, name: str, text: str) -> None:
    """Serve, open, take pictures."""
    command = [sys.executable, "-m", "ostinato", "studio", folder, "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as driver:
        try:
            assert server.stdout is not None
            address = re.search(r"http://\S+\?key=[\w-]+", server.stdout.readline())
            assert address is not None
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(
                viewport={"width": 1200, "height": 1130}, device_scale_factor=2, color_scheme="light"
            )
            page.goto(address[0])
            inside(page, address[0].partition("?")[0], name)
            training(page, address[0].partition("?")[0], Path(text))
            browser.close()
        finally:
            server.terminate()


if __name__ == "__main__":
    main(*sys.argv[1:4])
