"""Schemes of spans, against seqeval's strict readings and every short sequence."""

import itertools

import pytest

from ostinato.core.span_tags import BIO, SCHEMES, scheme_of


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        (["O", "B-PER", "I-PER"], "BIO"),
        (["B", "I"], "BIO"),
        (["I-A"], "BIO"),  # IOB1
        (["O", "B-A", "I-A", "E-A", "S-A"], "IOBES"),
        (["O", "S-A"], "IOBES"),
        (["O", "B-A", "L-A", "U-B"], "BILOU"),
        (["B", "M", "E", "S"], "BMES"),
        (["O"], None),
        (["NOUN", "O"], None),
        (["Bar", "O"], None),
        (["S", "E"], None),  # letters alone could be anything
        (["B-A", "E-A", "L-A"], None),
        (["X", "B"], None),
    ],
)
def test_which_tags_mark_spans(tags, name):
    found = scheme_of(tags)
    assert (found and found.name) == name


def test_which_sentences_keep_bio():
    assert BIO.keeps(["B-A", "I-A", "I-A", "B-B", "O"])
    assert BIO.keeps([])
    assert not BIO.keeps(["O", "I-A"])
    assert not BIO.keeps(["I-A"])
    assert not BIO.keeps(["B-A", "I-B"])


@pytest.mark.parametrize(("number", "theirs"), [(0, "IOB2"), (1, "IOBES"), (2, "BILOU")])
def test_what_is_kept_is_what_seqeval_reads_whole(number, theirs):
    """Kept is what seqeval's strict reading covers with spans, every word that is not O."""
    schemes = pytest.importorskip("seqeval.scheme")
    ours = SCHEMES[number]
    tags = ["O", *(f"{letter}-{kind}" for letter in ours.letters for kind in "AB")]
    for length in (1, 2, 3):
        for sentence in itertools.product(tags, repeat=length):
            entities = schemes.Entities([list(sentence)], getattr(schemes, theirs)).entities[0]
            covered = sum(entity.end - entity.start for entity in entities)
            assert ours.keeps(sentence) == (covered == sum(tag != "O" for tag in sentence)), sentence
