"""Spans and their scores, against seqeval and by hand."""

import random

import pytest

from ostinato.evaluation.spans import Span, SpanScores, is_bio, keeps_bio, span_scores, spans


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", []),
        ("O O", []),
        ("B-A I-A O B-B", [("A", 0, 2), ("B", 3, 4)]),
        ("B-A B-A I-A", [("A", 0, 1), ("A", 1, 3)]),
        ("I-A I-A O I-B", [("A", 0, 2), ("B", 3, 4)]),  # IOB1
        ("I-A B-A I-A", [("A", 0, 1), ("A", 1, 3)]),
        ("B-A I-B I-A", [("A", 0, 1), ("B", 1, 2), ("A", 2, 3)]),
        ("B-a-b I-a-b I-a", [("a-b", 0, 2), ("a", 2, 3)]),
        ("B I O I", [("_", 0, 2), ("_", 3, 4)]),
    ],
)
def test_spans(tags, expected):
    assert spans(tags.split()) == [Span(*one) for one in expected]


def test_scores_by_hand():
    right = [["B-A", "I-A", "O", "B-B"], ["O", "B-A"]]
    found = [["B-A", "I-A", "B-B", "O"], ["O", "B-A"]]  # two of three, and one too many
    assert span_scores(right, found) == {
        "": SpanScores(2 / 3, 2 / 3, 2 / 3, 3),
        "A": SpanScores(1.0, 1.0, 1.0, 2),
        "B": SpanScores(0.0, 0.0, 0.0, 1),
    }


def test_scores_where_there_is_nothing():
    assert span_scores([["O"]], [["O"]]) == {"": SpanScores(0.0, 0.0, 0.0, 0)}


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="got 1 for 2"):
        span_scores([["O", "O"]], [["O"]])


def test_scores_are_seqevals():
    seqeval = pytest.importorskip("seqeval.metrics")
    draw = random.Random(4)
    tags = ["O", "O", "B-A", "I-A", "B-B", "I-B", "B-C-D", "I-C-D"]  # inconsistent sequences among them
    right = [draw.choices(tags, k=draw.randint(1, 12)) for _ in range(300)]
    found = [[draw.choice(tags) if draw.random() < 0.3 else tag for tag in one] for one in right]
    scores = span_scores(right, found)
    report = seqeval.classification_report(right, found, output_dict=True, zero_division=0)
    for kind, theirs in (("", "micro avg"), ("A", "A"), ("B", "B"), ("C-D", "C-D")):
        expected = [report[theirs][name] for name in ("precision", "recall", "f1-score", "support")]
        assert list(scores[kind]) == pytest.approx(expected, abs=1e-12), kind
    assert [spans(one) for one in right] == [
        [Span(kind, first, last + 1) for kind, first, last in seqeval.sequence_labeling.get_entities(one)]
        for one in right
    ]


def test_which_tags_are_bio():
    assert is_bio(["O", "B-PER", "I-PER"])
    assert is_bio(["B", "I"])
    assert not is_bio(["O"])
    assert not is_bio(["NOUN", "O"])
    assert not is_bio(["B-A", "I-A", "E-A"])
    assert not is_bio(["Bar", "O"])


def test_which_sentences_keep_bio():
    assert keeps_bio(["B-A", "I-A", "I-A", "B-B", "O"])
    assert keeps_bio([])
    assert not keeps_bio(["O", "I-A"])
    assert not keeps_bio(["I-A"])
    assert not keeps_bio(["B-A", "I-B"])
