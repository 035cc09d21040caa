"""Tags that mark spans of words, such as names: the schemes there are, and what may follow what in each."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Part(NamedTuple):
    """What a tag says of its word.

    Attributes:
        letter: of BIOES, whatever letters the scheme has: it begins a span, is inside, ends it, is one by itself, or
            outside of any ("O").
        kind: of the span; "_" where the tag is a letter alone, None outside.
    """

    letter: str
    kind: str | None


class Scheme(NamedTuple):
    """A way to write spans as tags.

    Attributes:
        name: as the literature has it.
        letters: which of them stand for B, I, E and S; a scheme without the last two is BIO.
    """

    name: str
    letters: dict[str, str]

    def part(self, tag: str) -> Part:
        """What a tag says; a letter that the scheme does not have counts as inside."""
        letter, _, kind = tag.partition("-")
        if letter == "O":
            return Part("O", None)
        return Part(self.letters.get(letter, "I"), kind or "_")

    def follows(self, before: str | None, tag: str | None) -> bool:
        """Whether one tag may stand behind another.

        Args:
            before: None for a sentence's beginning.
            tag: None for its end.
        """
        earlier = Part("O", None) if before is None else self.part(before)
        later = Part("O", None) if tag is None else self.part(tag)
        inside = later.letter in "IE"  # of a span that has begun
        if inside and (earlier.letter not in "BI" or earlier.kind != later.kind):
            return False
        must_go_on = self.ends and earlier.letter in ("B", "I")
        return inside or not must_go_on

    def keeps(self, tags: Sequence[str]) -> bool:
        """Whether a sentence's tags are as the scheme has them; IOB1, where I-X may begin a span, does not keep BIO."""
        return all(map(self.follows, [None, *tags], [*tags, None])) if tags else True

    @property
    def ends(self) -> bool:
        """Whether a span's last word is marked."""
        return "E" in self.letters.values()


#: Ramshaw, Marcus 1995 (BIO, IOB2).
BIO = Scheme("BIO", {"B": "B", "I": "I"})

#: A letter is looked for in the first that has all of them.
SCHEMES = (
    BIO,
    Scheme("IOBES", {"B": "B", "I": "I", "E": "E", "S": "S"}),
    Scheme("BILOU", {"B": "B", "I": "I", "L": "E", "U": "S"}),  # Ratinov, Roth 2009
    Scheme("BMES", {"B": "B", "M": "I", "E": "E", "S": "S"}),  # of Chinese word segmentation
)


def scheme_of(tags: Iterable[str]) -> Scheme | None:
    """The scheme by which tags mark spans.

    Args:
        tags: each O, or a letter of the scheme and a kind, "B-PER"; or all of them letters alone, B or I among them.

    Returns:
        None where they do not, or all are O.
    """
    kinds = set(tags) - {"O"}
    if not kinds or any(len(tag) != 1 and tag[1:2] != "-" for tag in kinds):
        return None
    if any(len(tag) == 1 for tag in kinds) and not kinds & {"B", "I"}:
        return None
    letters = {tag[0] for tag in kinds}
    return next((scheme for scheme in SCHEMES if letters <= scheme.letters.keys()), None)
