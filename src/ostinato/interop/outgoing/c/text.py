"""Small parts of C: numbers, strings, names, arrays in lines."""

import re
import textwrap
from collections.abc import Iterable, Sequence

from ostinato.core.errors import ConfigError

_WIDTH = 116

#: Words of C99, and what the generated files call their own helpers.
_TAKEN = (
    "auto break case char const continue default do double else enum extern float for goto if inline int long "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
    "main"
)


def literal(number: float) -> str:
    """A float32 in C.

    Raises:
        ConfigError: it is not finite.
    """
    if number != number or number in (float("inf"), float("-inf")):
        raise ConfigError(f"--to c: expected finite weights, got {number}: C99 has no constant for it")
    text = f"{number:.9g}"
    return f"{text}f" if any(c in text for c in ".e") else f"{text}.0f"


def double(number: float) -> str:
    """A number of double precision in C."""
    text = f"{number:.17g}"
    return text if any(c in text for c in ".en") else f"{text}.0"


def string(text: str) -> str:
    """A string constant, in ASCII: all else by its UTF-8 bytes."""
    found = []
    for byte in text.encode("utf-8", "surrogatepass"):
        character = chr(byte)
        plain = 32 <= byte < 127 and character not in '"\\?@'
        found.append(character if plain else f"\\{byte:03o}")
    return '"' + "".join(found) + '"'


def comment(text: str) -> str:
    """Text that can stand in a comment: nothing that ends it, no line's end, nothing that is not ASCII."""
    line = " ".join(text.replace("@", "(at)").split()).replace("*/", "* /").replace("/*", "/ *")
    return line.encode("ascii", "replace").decode()


def identifier(name: str) -> str:
    """The name itself, where C takes it as the beginning of others.

    Raises:
        ConfigError: it does not.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in _TAKEN.split():
        raise ConfigError(
            f"--name: expected small letters, digits and _, a letter first, and no word of C, got {name!r}: "
            "it begins all names of the files"
        )
    return name


def require_apart(text: str, name: str) -> None:
    """Check that a name makes no public name of a text, `@_step`, one that the text has beside it, as `layer_0_step`.

    Raises:
        ConfigError: it does.
    """
    code = re.sub(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/', " ", text, flags=re.DOTALL)
    public = {with_name(word, name) for word in re.findall(r"@@?\w+", code)}
    if both := sorted(public & set(re.findall(r"(?<![@\w])[A-Za-z_]\w*", code))):
        raise ConfigError(f"--name: {name!r} would make {both[0]} the name of two things in C; choose another")


def with_name(text: str, name: str) -> str:
    """A text in which `@@` stands for the name in capitals, and `@` for the name."""
    return text.replace("@@", name.upper()).replace("@", name)


def filled(values: Iterable[str], indent: str = "    ") -> str:
    """Values with commas between, in lines."""
    return textwrap.fill(
        ", ".join(values),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def indented(lines: Sequence[str], by: int = 1) -> list[str]:
    """Lines so much deeper."""
    return ["    " * by + line if line else "" for line in lines]


def function(head: str, body: Sequence[str]) -> str:
    """A function."""
    return "\n".join([wrapped(head), "{", *indented(body), "}"])


def wrapped(text: str, indent: str = "    ") -> str:
    """Text in lines that are not too long, all but the first with an indent; lines that it has stay."""
    return "\n".join(
        textwrap.fill(line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        if len(line) > _WIDTH
        else line
        for line in text.split("\n")
    )
