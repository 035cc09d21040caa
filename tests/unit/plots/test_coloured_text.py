"""The page stands alone, and nothing from the text gets out of its place."""

from html.parser import HTMLParser

import numpy as np

from ostinato.plots.coloured_text import coloured_text


class Read(HTMLParser):
    """Text within <pre>, the classes of its spans, and whatever would fetch something."""

    def __init__(self, page):
        super().__init__()
        self.text, self.classes, self.fetches, self.tags, self._inside = "", [], [], set(), False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        found = dict(attributes)
        self.fetches += [name for name in found if name in ("src", "href", "data", "action", "onclick")]
        self._inside |= tag == "pre"
        if self._inside and tag == "span":
            self.classes.append(found["class"])

    def handle_endtag(self, tag):
        self._inside &= tag != "pre"

    def handle_data(self, data):
        self.text += data if self._inside else ""


def test_text_comes_back_and_nothing_is_fetched():
    pieces = ["<script>alert(1)</script>", "&amp;", '"', "\n", "é", "\x07", ""]
    page = coloured_text(pieces, np.zeros(7), title="<b>", note="a < b", hints=['"><img src=x>'] * 7)
    read = Read(page)
    assert read.text == '<script>alert(1)</script>&amp;"⏎\né�'
    assert read.tags <= {"html", "head", "meta", "title", "style", "body", "h1", "p", "span", "pre"}
    assert read.fetches == []
    assert "http" not in page
    assert "url(" not in page


def test_deeper_further_from_zero():
    assert Read(coloured_text("abcd", np.array([-2.0, 0.0, 1.0, 2.0]), title="t")).classes == ["n10", "p0", "p5", "p10"]
    assert Read(coloured_text("ab", np.array([1.0, 9.0]), title="t", limit=2)).classes == ["p5", "p10"]
