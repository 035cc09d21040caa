"""The built documentation in a browser, from the disk: it asks no other host, and its switches work.

`make docs` builds `site`, and `make test` does that first; without it these tests are skipped.
"""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.end_to_end.studio.conftest import browser  # noqa: F401

SITE = Path(__file__).parents[2] / "site"
pytestmark = pytest.mark.skipif(not (SITE / "ko" / "index.html").exists(), reason="make docs builds the site")


@pytest.fixture(scope="module")
def context(browser):  # noqa: F811
    opened = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield opened
    opened.close()


@pytest.fixture
def page(context):
    opened = context.new_page()
    opened.asked = []
    opened.on("request", lambda request: opened.asked.append(request.url))
    yield opened
    opened.close()


def visit(page, path: str) -> None:
    page.goto((SITE / path).as_uri())


@pytest.mark.parametrize("path", ["index.html", "ko/guides/language-model.html", "api/cells.html"])
def test_a_page_asks_nobody_else(page, path):
    visit(page, path)
    page.wait_for_timeout(300)
    assert len(page.asked) > 3
    assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("path", "words", "expected"),
    [
        ("ko/index.html", "망각 게이트", "/ko/how-recurrence-works.html"),
        ("index.html", "vanishing gradient", "/how-recurrence-works.html"),
    ],
)
@pytest.mark.slow
def test_search_in_both_languages(page, path, words, expected):
    visit(page, path)
    page.locator(".md-search__input").click()
    page.keyboard.type(words)
    page.wait_for_selector(".md-search-result__link", timeout=20_000)
    page.wait_for_timeout(500)
    found = [link.get_attribute("href").partition("?")[0] for link in page.locator(".md-search-result__link").all()]
    assert any(link.endswith(f"site{expected}") for link in found), found


def languages(page) -> dict[str, str]:
    links = page.locator(".md-header a[hreflang]").all()
    return {link.get_attribute("hreflang"): link.evaluate("a => a.href").removeprefix(SITE.as_uri()) for link in links}


def test_the_language_switch_leads_to_the_twin(page):
    visit(page, "guides/layers.html")
    assert languages(page) == {"en": "/guides/layers.html", "ko": "/ko/guides/layers.html"}
    visit(page, "ko/guides/layers.html")
    assert languages(page) == {"en": "/guides/layers.html", "ko": "/ko/guides/layers.html"}
    visit(page, "api/cells.html")  # there is no Korean one
    assert languages(page) == {"en": "/api/cells.html", "ko": "/ko/index.html"}


def test_what_is_not_translated_is_borrowed(page):
    visit(page, "ko/guides/layers.html")
    link = page.locator(".md-nav--primary a", has_text="ostinato.cells").first
    assert link.evaluate("a => a.href") == (SITE / "api" / "cells.html").as_uri()
    assert not (SITE / "ko" / "api" / "cells.html").exists()


def test_headings_have_the_same_names_in_both_languages(page):
    names = []
    for path in ("guides/layers.html", "ko/guides/layers.html"):
        visit(page, path)
        names.append(page.evaluate("[...document.querySelectorAll('article h2')].map(h => h.id)"))
    assert names[0] == names[1]
    assert "in-place-of-torchnn" in names[0]


def test_dark_and_back(page):
    visit(page, "ko/index.html")
    before = page.locator("body").get_attribute("data-md-color-scheme")
    page.locator("label[title]:visible[for^=__palette]").click()
    assert {before, page.locator("body").get_attribute("data-md-color-scheme")} == {"default", "slate"}


def test_code_can_be_copied_and_source_be_read(page):
    visit(page, "api/cells.html")
    assert page.locator("button.md-code__button[data-md-type=copy]").count() > 3
    assert "src/ostinato/cells/" in page.locator("details.mkdocstrings-source summary").first.inner_text()


#: What is wrong with a page as it is shown: wider than the window, or a picture that does not come.
FAULTS = """() => [
  ...(document.documentElement.scrollWidth > innerWidth ? [`${document.documentElement.scrollWidth} pixels wide`] : []),
  ...[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => `no picture ${i.getAttribute("src")}`),
]"""


class Quiet(SimpleHTTPRequestHandler):
    """Gives out files, and prints nothing of it."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def served():
    """The site as a host gives it out; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280], ids=["telephone", "screen"])
def test_every_page_fits_its_window_and_is_whole(browser, served, width):  # noqa: F811
    opened = browser.new_context(viewport={"width": width, "height": 900})
    page, faults, said = opened.new_page(), [], []
    page.on("console", lambda message: message.type == "error" and said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    paths = sorted(path.relative_to(SITE) for path in SITE.rglob("*.html"))
    for path in paths:
        said.clear()
        page.goto(f"{served}/{path}", wait_until="load")
        page.evaluate("for (const image of document.images) image.loading = 'eager'")
        page.wait_for_function("[...document.images].every(image => image.complete)")
        faults += [f"{path}: {fault}" for fault in (*page.evaluate(FAULTS), *said)]
    opened.close()
    assert len(paths) > 200
    assert not faults, "\n".join(faults)
