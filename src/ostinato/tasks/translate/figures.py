"""How well texts that were written match those expected: BLEU, chrF and exact match."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ostinato.evaluation.collapse import constant_bleu, tell_collapsed


def score_translations(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """The figures of `ostinato evaluate` for translation: of the texts written, beside as many that were expected.

    BLEU (Papineni et al. 2002) and chrF2 (Popović 2015) are sacrebleu's with its defaults (Post 2018,
    arXiv:1804.08771): over the whole corpus, cased, with its own tokeniser (13a), one reference.

    Returns:
        examples, bleu and chrf from 0 to 100, exact_match as a share; distinct, the different texts written;
        constant_bleu, the highest that one text for all gets (see `constant_bleu`), and constant_exact_match, the share
        of the text that is expected most often; and sacrebleu's signatures.
    """
    from sacrebleu.metrics.bleu import BLEU  # a third of a second, which nothing else needs
    from sacrebleu.metrics.chrf import CHRF

    bleu, chrf = BLEU(), CHRF()
    figures = {
        "examples": len(hypotheses),
        "bleu": float(bleu.corpus_score(hypotheses, [references]).score),
        "chrf": float(chrf.corpus_score(hypotheses, [references]).score),
        "exact_match": exact_match(hypotheses, references),
        "distinct": tell_collapsed("text", hypotheses, references),
    }
    written, expected = ([bleu.tokenizer(text).split() for text in texts] for texts in (hypotheses, references))
    figures["constant_bleu"] = constant_bleu(written, [[text] for text in expected])
    most = max(Counter(text.strip() for text in references).values(), default=0)
    figures["constant_exact_match"] = most / max(len(references), 1)
    return figures | {"bleu_signature": str(bleu.get_signature()), "chrf_signature": str(chrf.get_signature())}


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Share of texts that are what was expected, blanks at both ends aside."""
    same = [one.strip() == other.strip() for one, other in zip(hypotheses, references, strict=True)]
    return sum(same) / max(len(same), 1)
