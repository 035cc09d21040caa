"""Which Korean pages follow their English originals: `python scripts/translations.py`.

A page.ko.md keeps in a comment at its head the hash of the page.md that it was made from. Where the English page
has gone on, the tests ask for one of two:

- `--mark [PAGE...]`: the Korean page says on itself that it is older. Whoever cannot write Korean does this.
- `--renew PAGE...`: it was brought along, and keeps the hash of the English page as it is now.

PAGE is either of the two files. Without any, `--mark` takes all that have parted.
"""

import argparse
import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: A Korean page's first line, behind the front matter that a notebook has; docs/languages.py reads it too.
FOLLOWS = re.compile(r"^<!-- follows: (?P<hash>\w+)(?P<outdated>, outdated)? -->\n+", re.MULTILINE)
FRONT = re.compile(r"(---\n.*?\n---\n+)?", re.DOTALL)


@dataclass(frozen=True)
class Twin:
    """A Korean page and its original."""

    korean: Path
    original: Path

    @property
    def name(self) -> str:
        """Of the Korean page, from the root."""
        return str(self.korean.relative_to(ROOT))

    @property
    def hash(self) -> str:
        """Of the English page as it is; how its lines end does not matter."""
        text = self.original.read_text(encoding="utf-8")
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def state(self) -> str:
        """What a table says of it."""
        found = FOLLOWS.search(self.korean.read_text(encoding="utf-8"))
        if not self.original.exists():
            return "without an original"
        if found and found["outdated"]:
            return "marked as outdated"
        return "follows" if found and found["hash"] == self.hash else "PARTED"

    def renew(self) -> None:
        """Say that the Korean page follows the English one as it is now."""
        self._head(f"<!-- follows: {self.hash} -->")

    def mark(self) -> None:
        """Say on the Korean page that it is older."""
        found = FOLLOWS.search(self.korean.read_text(encoding="utf-8"))
        self._head(f"<!-- follows: {found['hash'] if found else 'nothing'}, outdated -->")

    def _head(self, line: str) -> None:
        text = FOLLOWS.sub("", self.korean.read_text(encoding="utf-8"), count=1)
        front = FRONT.match(text)[0]
        self.korean.write_text(f"{front}{line}\n\n{text.removeprefix(front)}", encoding="utf-8")


def twins() -> Iterator[Twin]:
    """Every Korean page: the README, the documentation, the notebooks."""
    for korean in sorted([*ROOT.glob("*.ko.md"), *(ROOT / "docs").rglob("*.ko.md"), *ROOT.glob("notebooks/*.ko.md")]):
        yield Twin(korean, korean.with_name(korean.name.replace(".ko.md", ".md")))


def chosen(pages: list[str]) -> list[Twin]:
    """The twins that are named by either of their files."""
    wanted = {Path(page).resolve() for page in pages}
    found = [twin for twin in twins() if {twin.korean, twin.original} & wanted]
    if unknown := wanted - {path for twin in found for path in (twin.korean, twin.original)}:
        sys.exit(f"no Korean page or original: {', '.join(map(str, sorted(unknown)))}")
    return found


def main() -> None:
    """Mark or renew, then list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mark", nargs="*", metavar="PAGE")
    parser.add_argument("--renew", nargs="+", metavar="PAGE")
    given = parser.parse_args()
    for twin in chosen(given.renew or []):
        twin.renew()
    if given.mark is not None:
        for twin in chosen(given.mark) if given.mark else twins():
            if twin.state == "PARTED":
                twin.mark()
    for twin in twins():
        print(f"{twin.state:<20}{twin.name}")


if __name__ == "__main__":
    main()
