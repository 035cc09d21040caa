"""Covariates as features, against values computed by hand."""

import msgspec
import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.series.covariates import Coding, filled


def text(*values):
    return np.array(values, dtype=object)


def test_numbers_are_standardised_and_missing_ones_replaced_and_told():
    coding = Coding.learn("t", [np.array([1.0, 3.0, np.nan]), np.array([5.0])])
    assert (coding.mean, coding.indicator, coding.names) == (3.0, True, ["t", "t missing"])
    assert coding.std == pytest.approx(np.std([1, 3, 5]))
    features = coding.encode(np.array([np.nan, 5.0, np.nan, 1.0]), 5)
    one = 2 / np.std([1, 3, 5])
    np.testing.assert_allclose(features, [[0, 1], [one, 0], [one, 1], [-one, 0], [-one, 1]], rtol=1e-6)


def test_a_column_that_never_changes_and_never_lacks_a_value():
    coding = Coding.learn("t", [np.array([7.0, 7.0])])
    assert coding.encode(np.array([7.0, 8.0]), 2).tolist() == [[0], [pytest.approx(1 / 7)]]  # of its own size


@pytest.mark.parametrize(("value", "rows"), [(0.1, 1000), (37.3, 777), (1e9 + 0.1, 333)])
def test_rounding_is_no_spread(value, rows):
    coding = Coding.learn("t", [np.full(rows, value)])
    assert coding.encode(np.array([value + 0.5]), 1)[0, 0] == pytest.approx(0.5 / value, rel=1e-5)


def test_categories_are_one_hot_and_unknown_ones_none():
    coding = Coding.learn("wind", [text("NW", "SE", None), text("cv", "NW")])
    assert coding.names == ["wind=NW", "wind=SE", "wind=cv"]
    features = coding.encode(text("SE", None, "north", "cv"), 5)
    assert features.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_the_rarest_of_very_many_categories_get_no_feature():
    column = text(*[f"c{n:03d}" for n in range(150)], *[f"c{n:03d}" for n in range(50, 150)])
    coding = Coding.learn("c", [column])
    assert coding.categories == tuple(f"c{n:03d}" for n in range(50, 150))


def test_it_survives_json():
    for column in (np.array([1.0, np.nan, 4.0]), text("a", "b", None)):
        coding = Coding.learn("c", [column])
        assert msgspec.convert(msgspec.to_builtins(coding), Coding) == coding


def test_another_kind_of_column_is_refused():
    with pytest.raises(DataError, match="column 't': expected numbers, as in training, got 'x'"):
        Coding.learn("t", [np.array([1.0, 2.0])]).encode(text("1", None, "x"), 3)
    with pytest.raises(DataError, match="column 't': every value in the training rows is missing"):
        Coding.learn("t", [np.array([np.nan])])


def test_filled_takes_the_last_known_value():
    values = np.array([[np.nan, 1], [2, np.nan], [np.nan, np.nan], [3, 4]])
    np.testing.assert_array_equal(filled(values, np.array([9, 9])), [[9, 1], [2, 1], [2, 1], [3, 4]])
