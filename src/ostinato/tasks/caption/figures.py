"""How well captions match those that people wrote, of which each picture has several: BLEU-4 and CIDEr."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

from ostinato.evaluation.collapse import constant_bleu, tell_collapsed

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_ORDERS = (1, 2, 3, 4)
_SIGMA = 6.0

Words: TypeAlias = list[str]
_Grams: TypeAlias = Counter[tuple[str, ...]]
_Vectors: TypeAlias = list[dict[tuple[str, ...], float]]


def caption_words(text: str) -> Words:
    """Words in small letters, without punctuation: what captions are compared by."""
    return _WORD.findall(text.lower())


def score_captions(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The figures of `ostinato evaluate` for captions, one a picture beside those that people wrote of it, by
    `caption_words`.

    Returns:
        examples, bleu4 (sacrebleu's, over the whole corpus, against all references) from 0 to 100, its signature, and
        cider from 0 to 10; exact_match, the share of captions that are one of the references, letter by letter;
        distinct, the different captions written; constant_bleu4, the highest that one caption for all pictures gets
        (see `constant_bleu`).
    """
    from sacrebleu.metrics.bleu import BLEU

    written = [caption_words(text) for text in hypotheses]
    expected = [[caption_words(text) for text in texts] for texts in references]
    most = max(map(len, expected), default=0)
    # None where a picture has fewer: sacrebleu takes it, whatever its annotations say
    streams: list[Any] = [
        [" ".join(texts[index]) if index < len(texts) else None for texts in expected] for index in range(most)
    ]
    bleu = BLEU(tokenize="none", lowercase=True, force=True)
    score = float(bleu.corpus_score([" ".join(words) for words in written], streams).score)
    same = [text.strip() in {one.strip() for one in texts} for text, texts in zip(hypotheses, references, strict=True)]
    figures = {"examples": len(written), "bleu4": score, "cider": cider(written, expected)}
    figures["exact_match"] = sum(same) / max(len(same), 1)
    figures["distinct"] = tell_collapsed("caption", hypotheses, (text for texts in references for text in texts[:1]))
    figures["constant_bleu4"] = constant_bleu(written, expected)
    return figures | {"bleu4_signature": str(bleu.get_signature())}


def cider(hypotheses: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """CIDEr-D (Vedantam, Zitnick, Parikh 2015, arXiv:1411.5726), what is commonly reported as CIDEr: 0 to 10.

        g_k(s)        = h_k(s) * log(|I| / max(1, pictures with n-gram k in a reference))
        CIDEr_n(c, S) = 10 / m * sum_j exp(-(l(c) - l(s_j))^2 / (2 * 6^2)) * min(g(c), g(s_j)) . g(s_j)
                        / (|g(c)| |g(s_j)|)

    averaged over n = 1 to 4 and over the pictures; h_k counts how often n-gram k occurs, l the words. As in the
    authors' program counts are not divided by a caption's length and words are not stemmed. Rare n-grams count more; an
    n-gram of every picture counts nothing, so that a single picture has no CIDEr.
    """
    documents: _Grams = Counter()
    for captions in references:
        documents.update({gram for words in captions for n in _ORDERS for gram in _grams(words, n)})
    log_pictures = math.log(max(len(references), 1))

    def vectors(words: Words) -> _Vectors:
        return [
            {
                gram: count * (log_pictures - math.log(max(1, documents[gram])))
                for gram, count in _grams(words, n).items()
            }
            for n in _ORDERS
        ]

    total = 0.0
    for words, captions in zip(hypotheses, references, strict=True):
        own = vectors(words)
        each = [_similarity(own, vectors(caption), len(words) - len(caption)) for caption in captions]
        total += 10 * sum(each) / len(each)
    return total / max(len(hypotheses), 1)


def _grams(words: Words, n: int) -> _Grams:
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))


def _similarity(candidate: _Vectors, reference: _Vectors, difference: int) -> float:
    """Mean over n of the clipped cosine, times the Gaussian of the difference in length."""
    total = 0.0
    for c, s in zip(candidate, reference, strict=True):
        norms = math.sqrt(sum(v * v for v in c.values()) * sum(v * v for v in s.values()))
        if norms:
            total += sum(min(value, s.get(gram, 0.0)) * s.get(gram, 0.0) for gram, value in c.items()) / norms
    return total / len(_ORDERS) * math.exp(-(difference**2) / (2 * _SIGMA**2))
