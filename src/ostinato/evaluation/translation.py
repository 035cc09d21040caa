"""How well texts that were written match those expected: BLEU, chrF and exact match."""

from collections.abc import Sequence
from typing import Any


def score_translations(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """The figures of `ostinato evaluate` for translation.

    BLEU (Papineni et al. 2002) and chrF2 (Popović 2015) are sacrebleu's with its defaults (Post 2018,
    arXiv:1804.08771): over the whole corpus, cased, with its own tokeniser (13a), one reference.

    Args:
        hypotheses: the texts written.
        references: the texts expected, as many.

    Returns:
        examples, bleu and chrf from 0 to 100, exact_match as a share, and sacrebleu's signatures.
    """
    from sacrebleu.metrics.bleu import BLEU  # a third of a second, which nothing else needs
    from sacrebleu.metrics.chrf import CHRF

    bleu, chrf = BLEU(), CHRF()
    figures = {
        "examples": len(hypotheses),
        "bleu": float(bleu.corpus_score(hypotheses, [references]).score),
        "chrf": float(chrf.corpus_score(hypotheses, [references]).score),
        "exact_match": exact_match(hypotheses, references),
    }
    return figures | {"bleu_signature": str(bleu.get_signature()), "chrf_signature": str(chrf.get_signature())}


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Share of texts that are what was expected, blanks at both ends aside."""
    same = [one.strip() == other.strip() for one, other in zip(hypotheses, references, strict=True)]
    return sum(same) / max(len(same), 1)
