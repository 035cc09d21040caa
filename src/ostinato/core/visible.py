"""Text from outside, made fit to be shown."""

import re

#: Control characters, which a terminal acts on, and halves of characters, which no encoding has.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def visible(text: str, *, one_line: bool = False) -> str:
    r"""Text whose control characters are visible: names and contents of files may hold anything.

        >>> visible("cat\x1b[2J")
        'cat\\x1b[2J'

    Args:
        text: what to show; ends of lines and tabs stay.
        one_line: whether they are made visible too.
    """
    seen = _ACTING.sub(_escaped, text)
    return seen.replace("\n", r"\n").replace("\t", r"\t") if one_line else seen


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
