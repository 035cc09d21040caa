"""Results as types: what commands print with --json and what run folders hold.

A text beside a field's type, `Annotated[Measure, "mean loss in nats"]`, says its unit and meaning: schemas and the
guide's tables are made of them (`make schemas`). What is not always there is `UNSET` where it is not, and then left
out; `when` says when it is there.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, UnsetType


def when(text: str) -> Meta:
    """Beside a field's type: when it is there."""
    return Meta(extra_json_schema={"x-when": text})


Count: TypeAlias = Annotated[int, Meta(ge=0)]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]
#: A measure that is 0 or more: a share, an error, a time.
Measure: TypeAlias = Annotated[float, Meta(ge=0)]
Perplexity: TypeAlias = Annotated[float, Meta(ge=1)]

_UNKNOWN = when("where the vocabulary has an unknown token: not of BPE, not of numbers")
_VALIDATED = when("as unknown, where there is data to validate on")
#: Of a training: the share of what it cannot read.
Unknown: TypeAlias = Annotated[
    Measure | UnsetType, "share of the tokens to train on that the vocabulary lacks", _UNKNOWN
]
ValidUnknown: TypeAlias = Annotated[Measure | UnsetType, "the same of the data to validate on", _VALIDATED]


class Result(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What all results are: fields by name, in the order that they are written in."""


def builtins(*results: msgspec.Struct | Mapping[str, Any]) -> dict[str, Any]:
    """Results one after the other as one dict, of the values that JSON has; what is unset is left out. A mapping has
    what is named by the data."""
    parts = (msgspec.to_builtins(result, enc_hook=_number) for result in results)
    return {name: value for part in parts for name, value in part.items()}


def _number(value: Any) -> Any:
    """NumPy's numbers as Python's.

    Raises:
        NotImplementedError: something that is no number.
    """
    if not hasattr(value, "item"):
        raise NotImplementedError(f"a result holds a {type(value).__name__}")
    return value.item()
