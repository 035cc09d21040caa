"""A text coloured by numbers, as an HTML file that stands alone."""

from collections.abc import Sequence
from html import escape
from unicodedata import category

import numpy as np

from ostinato.plots.style import Array

#: Shades on either side of zero.
_SHADES = 10
# White to Okabe and Ito's blue and orange, as light as black text on them asks for.
_BLUE, _ORANGE = (86, 160, 214), (240, 160, 40)
#: Characters that change the direction of all that follows.
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #000; background: #fff }}
pre {{ font: 14px/1.5 monospace; white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #ccc; padding: 1em }}
.key span {{ display: inline-block; width: 1.6em; text-align: center; line-height: 1.6 }}
{shades}
@media print {{ body {{ -webkit-print-color-adjust: exact; print-color-adjust: exact }}
[class^="n"]:not(.n0) {{ text-decoration: underline }} /* in grey, orange and blue are alike */ }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{note}</p>
<p class="key">{key}</p>
<pre>{text}</pre>
</body>
</html>
"""


def coloured_text(
    pieces: Sequence[str],
    values: Array,
    *,
    title: str,
    note: str = "",
    hints: Sequence[str] | None = None,
    limit: float | None = None,
) -> str:
    """A page on which each token's background shows its number: orange above zero, blue below, deeper further away.

    Everything from outside is escaped, and nothing is fetched: the page needs no other file and no network.

    Args:
        pieces: `[T]` the text of each token.
        values: `[T]`.
        title: heading.
        note: a sentence below it.
        hints: `[T]` what a token says when pointed at; its number by default.
        limit: number that has the deepest colour; by default the largest.

    Returns:
        HTML.
    """
    limit = limit or float(np.abs(values).max(initial=0)) or 1.0
    hints = [f"{value:.3f}" for value in values] if hints is None else hints
    spans = [
        f'<span class="{_shade(value / limit)}" title="{escape(hint)}">{_shown(piece)}</span>'
        for piece, value, hint in zip(pieces, values, hints, strict=True)
        if piece
    ]
    ends = (-limit, -limit / 2, 0.0, limit / 2, limit) if (values < 0).any() else (0.0, limit / 2, limit)
    key = " ".join(f'<span class="{_shade(end / limit)}" style="width: 4em">{end:.3g}</span>' for end in ends)
    return _PAGE.format(title=escape(title), note=escape(note), shades=_rules(), key=key, text="".join(spans))


def _shade(share: float) -> str:
    """The class of a share from -1 to 1."""
    step = round(min(1.0, abs(share)) * _SHADES)
    return f"{'n' if share < 0 and step else 'p'}{step}"


def _rules() -> str:
    rules = []
    for name, colour in (("n", _BLUE), ("p", _ORANGE)):
        for step in range(_SHADES + 1):
            mixed = [round(255 + (end - 255) * step / _SHADES) for end in colour]
            rules.append(f".{name}{step} {{ background: rgb({mixed[0]}, {mixed[1]}, {mixed[2]}) }}")
    return "\n".join(rules)


def _shown(piece: str) -> str:
    """A line's end also as a sign, so that its colour can be seen; control characters, and what would turn the page's
    direction, as a replacement sign."""
    allowed = "".join("�" if c not in "\n\t" and (category(c) in ("Cc", "Cs") or c in _TURNING) else c for c in piece)
    return escape(allowed).replace("\n", "⏎\n")
