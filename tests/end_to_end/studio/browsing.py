"""A reader in a real browser: what it sees is kept as pictures, what goes wrong is gathered."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

AXE = Path(__file__).with_name("axe") / "axe.min.js"
#: Where pictures of the last run of the tests are kept, to be looked at.
PICTURES = Path(__file__).parents[3] / "build" / "studio"
#: axe's words for what keeps people out.
SERIOUS = {"serious", "critical"}


class Served:
    """`ostinato studio` as a process.

    Attributes:
        address: with the key.
        home: without.
    """

    def __init__(self, runs, cwd, *more):
        command = [sys.executable, "-m", "ostinato", "studio", str(runs), "--no-browser", *more]
        self.process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.process.stdout.readline()
        self.address = re.search(r"http://\S+\?key=[\w-]+", line)[0]
        self.home = self.address.partition("?")[0]

    def end(self):
        self.process.terminate()
        return self.process.communicate(timeout=20)[0]


class Reader:
    """A page, and what went wrong in it.

    Attributes:
        page: of playwright.
        faults: errors of the console and of scripts, requests to other hosts, answers that are errors.
    """

    def __init__(self, context, home):
        self.page, self.home, self.faults = context.new_page(), home, []
        self.page.set_default_timeout(15_000)
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.faults.append(said.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on(
            "response", lambda answer: answer.status >= 400 and self.faults.append(f"{answer.status} {answer.url}")
        )

    def _asked(self, request):
        if not request.url.startswith((self.home, self.home.replace("http:", "ws:"), "blob:", "data:")):
            self.faults.append(f"asked {request.url}")

    def _answered(self, answer):
        if answer.status >= 400:
            self.faults.append(f"{answer.status} {answer.url}")

    def go(self, place):
        self.page.goto(f"{self.home}#/{place}")

    def keep(self, name):
        """A picture of the whole page."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def require_open_to_all(self):
        """That axe finds nothing serious, and that the page is no wider than its window."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
        serious = [
            (fault["id"], [node["html"][:160] for node in fault["nodes"][:3]])
            for fault in found["violations"]
            if fault["impact"] in SERIOUS
        ]
        assert not serious
        wide, window = self.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window

    def require_no_faults(self):
        assert not self.faults


def require_axe():
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() in (AXE.parent / "README.md").read_text()
