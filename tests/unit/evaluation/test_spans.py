"""Spans and their scores, against seqeval and by hand."""

import random

import pytest

from ostinato.core.span_tags import SCHEMES
from ostinato.evaluation.spans import Scores, Span, span_scores, spans, tag_scores


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
        "": Scores(2 / 3, 2 / 3, 2 / 3, 3),
        "A": Scores(1.0, 1.0, 1.0, 2),
        "B": Scores(0.0, 0.0, 0.0, 1),
    }


def test_scores_where_there_is_nothing():
    assert span_scores([["O"]], [["O"]]) == {"": Scores(0.0, 0.0, 0.0, 0)}


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


@pytest.mark.parametrize(("scheme", "letters"), [*zip(SCHEMES[1:], ("BIES", "BILU", "BMES"), strict=True)])
def test_scores_of_other_schemes_are_seqevals(scheme, letters):
    seqeval = pytest.importorskip("seqeval.metrics")
    draw = random.Random(5)
    tags = ["O", "O", *(f"{letter}-{kind}" for letter in letters for kind in "AB")]
    right = [draw.choices(tags, k=draw.randint(1, 12)) for _ in range(300)]
    found = [[draw.choice(tags) if draw.random() < 0.3 else tag for tag in one] for one in right]
    theirs = [[[tag.translate(str.maketrans("LUM", "ESI")) for tag in one] for one in side] for side in (right, found)]
    expected = seqeval.classification_report(*theirs, output_dict=True, zero_division=0)
    scores = span_scores(right, found, scheme)
    for kind, row in (("", "micro avg"), ("A", "A"), ("B", "B")):
        assert list(scores[kind]) == pytest.approx(
            [expected[row][n] for n in ("precision", "recall", "f1-score", "support")]
        )


def test_scores_of_tags():
    assert tag_scores("NVNN", "NNNV") == {"N": Scores(2 / 3, 2 / 3, 2 / 3, 3), "V": Scores(0.0, 0.0, 0.0, 1)}
