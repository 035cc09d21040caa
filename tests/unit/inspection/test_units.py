"""Properties of a text letter by letter, and who follows them."""

import argparse
import inspect
import io
import itertools
import textwrap
import tokenize

import numpy as np
import pytest

from ostinato.inspection import Follower, auc, correlation, followers, text_properties
from ostinato.inspection.units import (
    before_line_end,
    bracket_depth,
    in_comment,
    indentation,
    inside_quotes,
    position_in_line,
    position_in_word,
)


def marks(found):
    return "".join("#" if value else "." for value in found)


def test_positions():
    text = "ab c\n\nd_1"
    assert position_in_line(text) == [1, 2, 3, 4, 0, 0, 1, 2, 3]
    assert position_in_word(text) == [1, 2, 0, 1, 0, 0, 1, 2, 3]
    assert marks(before_line_end(text)) == "...##...."


def test_indentation_counts_leading_blanks_only():
    assert indentation("  a b\n\tc\n \td") == [1, 2, 2, 2, 2, 0, 8, 8, 0, 1, 8, 8]


def test_brackets_close_at_an_empty_line():
    assert bracket_depth("f(a[1])") == [0, 1, 1, 2, 2, 1, 0]
    assert bracket_depth(")(a\n\nb") == [0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a "bc" d', "..###..."),
        ('"a\n\nb" c', "##...###"),
        ('"""a\n\nb"c""" d', "#########....."),
        ("“ab” c", "###..."),
        ("it's", "...."),
        ('x = "" + "b"', "....#....##."),
        ("f('a', b'')", "..##....#.."),
        ("don't say 'I can't' or '", "..........########......"),
        ("'a\nb'", "....."),
        ("r'''a\n'b'''c", ".#######...."),
        (r'"a\"b"c', "#####.."),
        ('# it is "b"', "..........."),
    ],
)
def test_quotes(text, expected):
    assert marks(inside_quotes(text)) == expected


@pytest.mark.parametrize("module", [argparse, textwrap])
def test_quotes_and_comments_of_real_code_are_pythons_own(module):
    """Against tokenize; a string's prefix, and what is quoted inside of an f-string, it counts in another way."""
    code = inspect.getsource(module)
    begins = [0, *itertools.accumulate(map(len, code.splitlines(keepends=True)))]
    quoted, comment = np.zeros(len(code), bool), np.zeros(len(code), bool)
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        begin, end = (begins[row - 1] + column for row, column in (token.start, token.end))
        if token.type == tokenize.STRING:
            quoted[begin : end - 1] = True  # a closing mark is outside
        elif token.type == tokenize.COMMENT:
            comment[begin:end] = True
    assert np.mean(quoted) > 0.1
    assert np.mean(quoted != np.array(inside_quotes(code))) < 0.02
    assert np.mean(comment != np.array(in_comment(code))) < 0.01


def test_comments_begin_outside_of_quotes():
    assert marks(in_comment('a # b\n"#" c')) == "..###......"
    assert marks(in_comment("# it's 'b\n'#' c")) == "#########......"


def test_a_token_has_the_property_of_its_last_character():
    found = text_properties(["ab", "\n", "", "cde"])
    assert found["position in line"].tolist() == [2, 0, 0, 3]
    assert found["line ends next"].dtype == bool
    assert text_properties([]) == {}


def test_correlation_is_numpys():
    rng = np.random.default_rng(0)
    values, target = rng.normal(size=(40, 3)), rng.integers(0, 9, 40)
    values[:, 2] = 5
    expected = [np.corrcoef(values[:, unit], target)[0, 1] for unit in (0, 1)]
    assert correlation(values, target) == pytest.approx([*expected, 0.0])


def test_auc_counts_pairs():
    rng = np.random.default_rng(0)
    values, target = rng.integers(0, 5, (30, 2)).astype(float), rng.random(30) < 0.4
    for unit, found in enumerate(auc(values, target)):
        pairs = values[target, unit][:, None] - values[~target, unit][None]
        assert found == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)


def test_a_unit_that_follows_is_found_and_scored_on_the_other_half():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 200).astype(bool)
    values = rng.normal(size=(200, 20))
    values[:, 7] = -3.0 * target + rng.normal(size=200)  # one that says no
    values[:100, 3] = target[:100]  # one that follows in the first half only
    found = followers(values, {"t": target, "n": 2.0 * target, "still": np.zeros(200, bool)}, 2)
    assert list(found) == ["t", "n"]
    first, second = found["t"]
    assert {first.unit, second.unit} == {3, 7}
    assert first.selection_score == 1.0
    assert abs(first.score - 0.5) < 0.2
    assert second.score < 0.1
    assert found["n"][1].score == pytest.approx(np.corrcoef(values[100:, 7], target[100:])[0, 1])


@pytest.mark.parametrize(
    ("measure", "score", "chosen", "direction"),
    [
        ("AUC", 0.229, 0.2, "down"),
        ("AUC", 0.8, 0.9, "up"),
        ("AUC", 0.45, 0.2, "none"),
        ("AUC", 0.8, 0.3, "none"),  # the halves disagree
        ("correlation", 0.104, 0.3, "none"),
        ("correlation", -0.3, -0.5, "down"),
        ("correlation", 0.3, 0.5, "up"),
    ],
)
def test_a_direction_is_only_of_what_is_not_near_chance(measure, score, chosen, direction):
    assert Follower(0, score, chosen, measure).direction == direction
