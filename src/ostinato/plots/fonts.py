"""Fonts for text that the usual one has no glyphs for: Hangul, Han, Kana, Thai, whatever the data are written in."""

from __future__ import annotations

import importlib.util
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontEntry

#: Packages of PyPI that carry fonts of a free licence; what they hold is found without importing them.
PACKAGES = ("koreanize_matplotlib", "matplotlib_fontja", "japanize_matplotlib")

#: What to install, by how Unicode's names of characters begin: a package of Debian, and one of PyPI where there is one.
_INSTALL = {
    "HANGUL": "fonts-nanum (Debian) or koreanize-matplotlib (PyPI)",
    "CJK": "fonts-noto-cjk (Debian) or matplotlib-fontja (PyPI)",
    "HIRAGANA": "fonts-noto-cjk (Debian) or matplotlib-fontja (PyPI)",
    "KATAKANA": "fonts-noto-cjk (Debian) or matplotlib-fontja (PyPI)",
}
_ELSE = "fonts-noto-core or fonts-symbola (Debian)"

#: Fonts that have a box for every character there is.
_BOXES = ("Last Resort", "LastResort", "Unifont Upper")

_packages_named: set[str] = set()


@contextmanager
def glyphs_for(figure: Figure) -> Iterator[None]:
    """Give a figure's texts an installed font for what the usual one lacks; say once what to install for the rest.

    Args:
        figure: whole, about to be written.
    """
    from matplotlib.text import Text

    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    missing = _without_glyph({c for text in texts for c in text.get_text() if c.isprintable() and not c.isspace()})
    if missing:
        families, missing = _families_for(missing)
        for text in texts:
            text.set_fontfamily([*text.get_fontfamily(), *families])
    if missing:
        _tell(missing)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*(Glyph|glyph)", category=UserWarning)  # one for each
        yield


def _without_glyph(characters: set[str]) -> set[str]:
    from matplotlib.font_manager import FontProperties, findfont

    return {c for c in characters if ord(c) not in _covered(findfont(FontProperties()))}


def _families_for(characters: set[str]) -> tuple[list[str], set[str]]:
    """Families that have these characters, the most of them first, and the characters that none has."""
    families: list[str] = []
    fonts = _installed()
    while characters and fonts:
        best = max(fonts, key=lambda font: (len(_had(font, characters)), _plain(font)))
        had = _had(best, characters)
        if not had:
            break
        families.append(best.name)
        characters = characters - had
    return families, characters


def _had(font: FontEntry, characters: set[str]) -> set[str]:
    covered = _covered(font.fname)
    return {c for c in characters if ord(c) in covered}


def _plain(font: FontEntry) -> tuple[bool, bool, bool, str]:
    """What to prefer among fonts that have the same: upright, of middling weight, without serifs."""
    sans = any(word in font.name for word in ("Sans", "Gothic", "Hei"))
    return font.style == "normal", font.weight in (400, "normal", "regular", "book"), sans, font.name


def _installed() -> list[FontEntry]:
    from matplotlib.font_manager import fontManager

    known = {entry.fname for entry in fontManager.ttflist}
    for path in _packaged():
        if path not in known:
            fontManager.addfont(path)
    return [entry for entry in fontManager.ttflist if not entry.name.startswith(_BOXES)]


@cache
def _packaged() -> tuple[str, ...]:
    """Files of fonts in the packages that are installed; not the bold ones, which may bear the same name."""
    found: list[str] = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        for folder in (spec and spec.submodule_search_locations) or []:
            files = [path for kind in ("*.ttf", "*.otf") for path in Path(folder).rglob(kind)]
            found += sorted(str(path) for path in files if not path.stem.endswith(("Bold", "Light", "Black")))
    return tuple(found)


@cache
def _covered(path: str) -> frozenset[int]:
    """Characters that a font has a glyph for."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # a font that cannot be read has none
        return frozenset()


def _tell(characters: set[str]) -> None:
    """Say what is missing, once for each thing to install."""
    by_package: dict[str, list[str]] = {}
    for character in sorted(characters):
        script = unicodedata.name(character, "").split(" ")[0]
        by_package.setdefault(_INSTALL.get(script, _ELSE), []).append(character)
    for package, missing in by_package.items():
        if package not in _packages_named:
            _packages_named.add(package)
            shown = "".join(missing[:8]) + ("..." if len(missing) > 8 else "")
            warnings.warn(f"no installed font has {shown}: pictures show boxes; install {package}", stacklevel=4)
