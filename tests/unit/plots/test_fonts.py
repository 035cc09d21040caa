"""Text of any script: an installed font that has its glyphs, or one word on what to install."""

import warnings

import pytest

font_manager = pytest.importorskip("matplotlib.font_manager")

from ostinato.plots import fonts  # noqa: E402
from ostinato.plots.style import picture  # noqa: E402


@pytest.fixture(autouse=True)
def only_matplotlibs(monkeypatch):
    """Whatever this machine has installed: only the fonts that matplotlib carries."""
    carried = [entry for entry in font_manager.fontManager.ttflist if "mpl-data" in entry.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", carried)
    monkeypatch.setattr(fonts, "_packaged", lambda: ())
    monkeypatch.setattr(fonts, "_packages_named", set())


def draw(path, title):
    with picture(path) as axes:
        axes.set_title(title)
        return axes


def test_another_font_is_chosen_where_it_has_the_glyphs(tmp_path):
    usual = fonts._covered(font_manager.findfont(font_manager.FontProperties()))
    entry = next(entry for entry in font_manager.fontManager.ttflist if entry.name == "STIXGeneral")
    lacking = chr(next(code for code in sorted(fonts._covered(entry.fname) - usual) if chr(code).isprintable()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes = draw(tmp_path / "a.png", f"a {lacking}")
    assert axes.title.get_fontfamily()[-1].startswith("STIX")
    assert not fonts._without_glyph({"a", "é"})


def test_what_to_install_is_said_once(tmp_path):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        draw(tmp_path / "a.svg", "감성 かな")
        draw(tmp_path / "b.png", "감성 かな")
    assert [str(each.message).partition("install ")[2] for each in told] == [
        "fonts-noto-cjk (Debian) or matplotlib-fontja (PyPI)",
        "fonts-nanum (Debian) or koreanize-matplotlib (PyPI)",
    ]


def test_fonts_in_packages_are_found(monkeypatch, tmp_path):
    """A package with a font file, found without being imported."""
    monkeypatch.undo()
    (tmp_path / "koreanize_matplotlib/fonts").mkdir(parents=True)
    (tmp_path / "koreanize_matplotlib/__init__.py").write_text("raise AssertionError")
    (tmp_path / "koreanize_matplotlib/fonts/a.ttf").write_bytes(b"")
    monkeypatch.syspath_prepend(tmp_path)
    fonts._packaged.cache_clear()
    try:
        assert str(tmp_path / "koreanize_matplotlib/fonts/a.ttf") in fonts._packaged()
    finally:
        fonts._packaged.cache_clear()
