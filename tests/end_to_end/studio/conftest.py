import shutil
from pathlib import Path

import pytest

from tests.end_to_end.studio.browsing import Reader, Served
from tests.end_to_end.studio.data import train_small

GOLDEN = Path(__file__).parents[2] / "golden" / "trained"
#: What a page that Debian's chromium shows may do in the tests: they run as root, in a container perhaps.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]


@pytest.fixture(scope="package")
def browser():
    """Debian's chromium; without it, or what drives it, tests in the browser are skipped. What drives it keeps an event
    loop running, which other tests of this process are not to find: all of this ends with the package."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the browser's tests need playwright: pip install it"
    )
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        pytest.skip("tests in the browser need a chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        shown = driver.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield shown
        shown.close()


@pytest.fixture(scope="package")
def runs(tmp_path_factory):
    """A folder of small trained runs, and the data that they were made of."""
    folder = tmp_path_factory.mktemp("studio")
    shutil.copytree(GOLDEN, folder / "runs")
    for file in GOLDEN.glob("*.*"):  # where the runs look for them
        shutil.copy(file, folder)
    return folder / "runs"


@pytest.fixture(scope="package")
def small(runs):
    """Where runs of other tasks are, and what they were trained on: waves, levels, sums, squares."""
    train_small(runs.parent)
    return runs


@pytest.fixture(scope="package")
def studio(runs, browser):
    """`ostinato studio` over these runs."""
    served = Served(runs, runs.parent)
    yield served
    said = served.end()
    assert "Traceback" not in said, said


@pytest.fixture(scope="package")
def context(browser, studio):
    # tests evaluate code in the page, which its policy forbids to everybody else
    opened = browser.new_context(viewport={"width": 1150, "height": 900}, bypass_csp=True)
    page = opened.new_page()
    page.goto(studio.address)
    page.close()
    yield opened
    opened.close()


@pytest.fixture
def reader(context, studio):
    """A new page of the studio; whatever went wrong in it fails the test."""
    found = Reader(context, studio.home)
    yield found
    found.page.close()
    found.require_no_faults()
