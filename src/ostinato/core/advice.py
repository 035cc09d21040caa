"""A piece of advice: what was seen, what it means, what to do."""

from typing import Annotated

import msgspec

#: Where all advice is explained, a section for each.
PAGE = "docs/guides/when-training-goes-wrong.md"

#: The diagnosis that ends a training: its error says it, with all else.
NOT_FINITE = "not-finite"


class Advice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong, in words."""

    name: Annotated[str, "which diagnosis, in kebab case"]
    said: Annotated[str, "what was seen, with its figures: a line"]
    meaning: Annotated[str, "what it means"]
    remedy: Annotated[str, "what to do"]
    anchor: Annotated[str, "the section of the guide *When training goes wrong*"]

    @property
    def page(self) -> str:
        """Where more is said, to be followed or typed."""
        return f"{PAGE}#{self.anchor}"

    def lines(self) -> tuple[str, str, str, str]:
        """As it is read, a line each: what was seen, what it means, what to do, where more is said."""
        return self.said, self.meaning, self.remedy, f"see {self.page}"
