"""What comes of captions: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Perplexity, Positive, Result, Unknown, ValidUnknown, when


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    examples: Annotated[Positive, "pictures evaluated"]
    bleu4: Annotated[Measure, "sacrebleu's BLEU-4 against all references, over words in small letters, from 0 to 100"]
    cider: Annotated[Measure, "CIDEr-D over the same words, from 0 to 10"]
    exact_match: Annotated[Measure, "share of captions that are one of the references, letter by letter"]
    distinct: Annotated[Count, "different captions written"]
    constant_bleu4: Annotated[
        Measure,
        "the highest BLEU-4 of one and the same caption for all pictures, of some twenty: those written most often, "
        "and references like most others",
    ]
    bleu4_signature: Annotated[str, "how sacrebleu computed BLEU-4"]
    unknown: Annotated[
        Measure | UnsetType,
        "share of the tokens of the references that the vocabulary lacks",
        when("where the vocabulary has an unknown token: not of BPE"),
    ] = UNSET
    left_out: Annotated[Count, "pictures that are missing or damaged"]


class Summary(Result, kw_only=True):
    """What training came to."""

    tokens: Annotated[Count, "tokens of captions trained on, ends included, repeated ones counted again"]
    valid_loss: Annotated[Measure, "lowest validation loss, in nats a token"]
    valid_perplexity: Annotated[Perplexity, "e to that"]
    unknown: Unknown = UNSET
    valid_unknown: ValidUnknown = UNSET
