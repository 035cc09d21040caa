"""Characters a second in Inside, every gate drawn for each: `python scripts/live_gates.py RUNS_DIR NAME [COUNT]`.

Needs playwright and a chromium. Each character waits for its answer and for the picture of it.
"""

import re
import shutil
import subprocess
import sys

from playwright.sync_api import sync_playwright

TYPE = """async (count) => {
  const viewer = document.querySelector('.viewer'), field = viewer.querySelector('textarea');
  const drawn = () => new Promise((done) => viewer.addEventListener('drawn', function heard({ detail }) {
    if (detail.do !== 'read') return;
    viewer.removeEventListener('drawn', heard);
    done();
  }));
  const text = 'the quick brown fox jumps over the lazy dog and runs away ';
  field.value = '';
  let answers = 0;
  const begin = performance.now();
  for (let n = 0; n < count; n++) {
    const answer = drawn(), asked = performance.now();
    field.setRangeText(text[n % text.length], n, n, 'end');
    field.dispatchEvent(new Event('input'));
    await answer;
    answers += performance.now() - asked;
    await new Promise(requestAnimationFrame);
  }
  return { second: (1000 * count) / (performance.now() - begin), answer: answers / count };
}"""


def main(folder: str, name: str, count: int = 300) -> None:
    """Serve, open, type, print."""
    command = [sys.executable, "-m", "ostinato", "studio", folder, "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = re.search(r"http://\S+\?key=[\w-]+", server.stdout.readline())
            assert address is not None
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(address[0])
                page.goto(f"{address[0].partition('?')[0]}#/inside/{name}")
                page.locator(".panel").first.wait_for(timeout=60_000)
                found = page.evaluate(TYPE, count)
                browser.close()
        finally:
            server.terminate()
    print(f"{found['second']:.1f} characters a second; an answer takes {found['answer']:.1f} ms")


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:4]))
