"""What tokens are, as tables of C."""

from collections.abc import Sequence
from dataclasses import dataclass

from ostinato.interop.outgoing.c.source import Source
from ostinato.interop.outgoing.c.text import comment, function


@dataclass(frozen=True)
class Tokens:
    """A vocabulary.

    Attributes:
        level: "char", "word" or "bpe".
        entries: of each token its text.
        unknown: the token for what is not among them; None where everything is.
    """

    level: str
    entries: Sequence[str]
    unknown: int | None


def add_tokens(tokens: Tokens, source: Source) -> None:
    """A table of code points of characters, with the way there and back; of words their texts; of pieces a note."""
    if tokens.level == "char":
        add_characters(tokens, source, "token")
    elif tokens.level == "word":
        source.arrays.strings("@_tokens", tokens.entries)
        source.declare(f"extern const char *const @_tokens[{len(tokens.entries)}];", "The words, in UTF-8, by token.")
    else:
        source.about = [
            *source.about,
            comment("Its tokens are pieces of words: tokenizer.json of the run says which, read by Hugging Face's "
                    "tokenizers library."),
        ]  # fmt: skip


def add_characters(tokens: Tokens, source: Source, what: str) -> None:
    """Tables of code points, with the way there and back, for what is called a token, or otherwise."""
    pairs = sorted((ord(text), number) for number, text in enumerate(tokens.entries) if len(text) == 1)
    codes = source.arrays.whole("code_points", "uint32_t", [code for code, _ in pairs], 4)
    numbers = source.arrays.whole(f"{what}_of_code_point", "int32_t", [number for _, number in pairs], 4)
    count, unknown = len(pairs), -1 if tokens.unknown is None else tokens.unknown
    there, back = f"int @_{what}_of(uint32_t code_point)", f"uint32_t @_code_point_of(int {what})"
    source.code += [
        function(there, [
            f"int low = 0, high = {count};",
            "while (low < high) {",
            "    const int middle = (low + high) / 2;",
            f"    if ({codes}[middle] < code_point) low = middle + 1;",
            "    else high = middle;",
            "}",
            f"return low < {count} && {codes}[low] == code_point ? (int){numbers}[low] : {unknown};",
        ]),
        function(back, [
            f"for (int k = 0; k < {count}; ++k) {{",
            f"    if ({numbers}[k] == {what}) return {codes}[k];",
            "}",
            "return 0;",
        ]),
    ]  # fmt: skip
    source.declare(f"{there};", f"The {what} of a character of Unicode; {unknown} of one that is unknown.")
    source.declare(f"{back};", f"The character of a {what}; 0 where it is none.")
