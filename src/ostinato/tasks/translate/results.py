"""What comes of translations: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Perplexity, Positive, Result, Unknown, ValidUnknown, when


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    examples: Annotated[Positive, "pairs evaluated"]
    bleu: Annotated[Measure, "sacrebleu's BLEU over all pairs, from 0 to 100"]
    chrf: Annotated[Measure, "sacrebleu's chrF2, from 0 to 100"]
    exact_match: Annotated[Measure, "share of texts written that are the one expected, blanks at both ends aside"]
    distinct: Annotated[Count, "different texts written"]
    constant_bleu: Annotated[
        Measure,
        "the highest BLEU of one and the same text for all, of some twenty: those written most often, and references "
        "like most others",
    ]
    constant_exact_match: Annotated[
        Measure, "exact match of one and the same text for all: the one expected most often"
    ]
    bleu_signature: Annotated[str, "how sacrebleu computed BLEU"]
    chrf_signature: Annotated[str, "how sacrebleu computed chrF"]
    unknown: Annotated[
        Measure | UnsetType,
        "share of the tokens, of both sides, that the vocabularies lack",
        when("where the vocabularies have an unknown token: not of BPE"),
    ] = UNSET


class Summary(Result, kw_only=True):
    """What training came to."""

    tokens: Annotated[Count, "target tokens trained on, ends included, repeated ones counted again"]
    valid_loss: Annotated[Measure, "lowest validation loss, in nats a target token"]
    valid_perplexity: Annotated[Perplexity, "e to that"]
    unknown: Unknown = UNSET
    valid_unknown: ValidUnknown = UNSET
