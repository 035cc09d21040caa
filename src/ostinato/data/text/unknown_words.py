"""Words that a vocabulary lacks: how many there are, and when that is worth a word."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ostinato.data.text.tokenizer import Tokenizer

#: Share of the tokens from which on unknown ones are told of.
TELLING = 0.05

_AT_ONCE = 1 << 22


def unknown_share(pieces: Iterable[npt.NDArray[Any]], unknown: int) -> float:
    """Share of the tokens in arrays of ids that the vocabulary lacks, whose id is `unknown`; 0 of no tokens."""
    missing = total = 0
    for ids in pieces:
        total += len(ids)
        for start in range(0, len(ids), _AT_ONCE):
            missing += int(np.count_nonzero(ids[start : start + _AT_ONCE] == unknown))
    return missing / max(total, 1)


def unknown_of(pieces: Iterable[npt.NDArray[Any]], tokenizer: Tokenizer) -> dict[str, float]:
    """The same as the figure `unknown`; none where the vocabulary has no unknown token, as that of byte-level BPE."""
    return {} if tokenizer.unk_id is None else {"unknown": unknown_share(pieces, tokenizer.unk_id)}


def unknown_figures(data: Mapping[str, Any]) -> dict[str, float]:
    """What a training's result says: `unknown` of the data to train on, `valid_unknown` of that to validate on, as the
    run folder records it; one of before says nothing."""
    shares = {"unknown": data["train"].get("unknown"), "valid_unknown": data["valid"].get("unknown")}
    return {name: share for name, share in shares.items() if share is not None}


def unknown_note(data: Mapping[str, Any], what: str = "tokens") -> str:
    """The same for the line that a training begins with; empty where nothing is unknown."""
    shares = unknown_figures(data)
    if not any(shares.values()):
        return ""
    return (
        f" (unknown: {shares['unknown']:.1%} of the {what} to train on, {shares['valid_unknown']:.1%} of those to "
        "validate on)"
    )


def warn_unknown(name: str, figures: Mapping[str, float], level: str, advice: str) -> None:
    """Warn where more than a few in a hundred tokens are unknown, and give advice: what it means, or what to do."""
    if (share := figures.get("unknown", 0.0)) > TELLING:
        what = "characters" if level == "char" else "words"
        warnings.warn(f"{name}: {share:.1%} of the {what} are unknown to the model: {advice}", stacklevel=3)
