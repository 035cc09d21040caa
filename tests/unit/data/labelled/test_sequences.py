"""Sequences out of long tables, and their scale."""

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.labelled.sequences import Scale, sequences_from_table
from ostinato.data.tables.layout import Layout, laid_out
from ostinato.data.tables.reading import read_table

TABLE = "who,when,x,y,label\nb,2,3,4,up\na,2021-02-01,5,,down\nb,10,1,2,up\na,2021-01-31,7,8,\n"


def test_rows_of_an_id_in_the_order_of_time(write):
    numbered = TABLE.replace("2021-02-01", "2").replace("2021-01-31", "1")
    table = read_table(write(numbered, "t.csv"))
    found = sequences_from_table(table, "who", ["y", "x"], "when", "label")
    assert found.keys == ["b", "a"]
    np.testing.assert_array_equal(found.inputs[0], [[4, 3], [2, 1]])  # 2 before 10: numbers, not text
    np.testing.assert_array_equal(found.inputs[1], [[8, 7], [np.nan, 5]])
    assert (found.labels, found.missing) == (["up", "down"], 1)
    assert found.places(1).endswith("t.csv: line 3")
    as_they_are = sequences_from_table(table, "who", ["x"], None, None)
    assert [values.ravel().tolist() for values in as_they_are.inputs] == [[3, 1], [5, 7]]
    assert as_they_are.labels == [None, None]


def test_dates_sort_as_text(write):
    found = sequences_from_table(
        read_table(write("who,when,x\na,2021-02-01,1\na,2020-12-31,2\n", "t.csv")), "who", ["x"], "when", None
    )
    assert found.inputs[0].ravel().tolist() == [2, 1]


@pytest.mark.parametrize(
    ("times", "order"),
    [
        (["01.02.2021", "31.01.2021", "05.12.2020"], [3, 2, 1]),
        (["2021-03-28T00:30+01:00", "2021-03-27T23:00Z", "2021-03-28T03:15+02:00"], [2, 1, 3]),
        (["1700000000123456790", "1700000000123456789", "1700000000123456791"], [2, 1, 3]),
        (["0.5", "1e-3", "10"], [2, 1, 3]),
        (["step b", "step a", "step c"], [2, 1, 3]),
    ],
)
def test_rows_are_sorted_by_time_not_by_its_letters(write, times, order):
    rows = [f"a,{time},{n}" for n, time in enumerate(times, 1)]
    table = read_table(write("\n".join(["who,when,x", *rows]), "t.csv"))
    (values,) = sequences_from_table(table, "who", ["x"], "when", None).inputs
    assert values.ravel().tolist() == order


def test_a_day_that_may_be_a_month_is_asked_for(write):
    content = "who,when,x\na,01/02/2021,1\na,03/01/2021,2\n"
    with pytest.raises(DataError, match=r"t.csv: line 2: '01/02/2021' in column when: .* --date-format"):
        sequences_from_table(read_table(write(content, "t.csv")), "who", ["x"], "when", None)
    with laid_out(Layout(date_format="%d/%m/%Y")):
        table = read_table(write(content, "t.csv"))
        assert sequences_from_table(table, "who", ["x"], "when", None).inputs[0].ravel().tolist() == [2, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("who,when,x,label\na,1,2,u\n,2,3,u\n", r"t.csv: line 3: column 'who': expected the id of a sequence, got not"),
        ("who,when,x,label\na,1,2,u\na,,3,u\n", r"t.csv: line 3: column 'when': expected a time, got nothing"),
        ("who,when,x,label\na,1,2,u\nb,1,0,u\na,1.0,3,u\n", r"t.csv: line 4: column 'when': time 1 occurs twice in "
         "sequence 'a', the other time in line 2"),
        ("who,when,x,label\na,1,2,u\na,2,3,v\n", "t.csv: line 3: expected one label a sequence, got 'v' and 'u'"),
        ("who,when,x,label\na,1,2,u\na,2,z,u\n", r"t.csv: line 3: column 'x': expected a number, got 'z'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(write, content, message):
    table = read_table(write(content, "t.csv"))
    with pytest.raises(DataError, match=message):
        sequences_from_table(table, "who", ["x"], "when", "label")


def test_a_scale_is_that_of_the_training_data():
    one, two = np.array([[1.0, 5], [2, 5], [np.nan, 5]], np.float32), np.array([[6.0, 5]], np.float32)
    scale = Scale.of([one, two])
    assert scale.mean == pytest.approx((3, 5))
    assert scale.deviation == pytest.approx((np.std([1, 2, 6]), 5))  # of the constant channel, its size
    found = scale.apply(one)
    np.testing.assert_allclose(found[:, 0], [(1 - 3) / np.std([1, 2, 6]), (2 - 3) / np.std([1, 2, 6]), 0], rtol=1e-6)
    assert not found[:, 1].any()
    assert found.dtype == np.float32


@pytest.mark.parametrize(("unit", "level"), [(0.1, 5_712_345), (1, 1e9), (1e-15, 0)])
def test_a_level_far_above_its_variation_keeps_it(write, unit, level):
    """Standardised, they are the same sequences."""
    plain = np.random.default_rng(0).normal(size=(6, 20))

    def standardised(sequences):
        lines = [f"{i},{t},{float(x)!r},u" for i, values in enumerate(sequences) for t, x in enumerate(values)]
        table = read_table(write("\n".join(["id,t,x,label", *lines]), "t.csv"))
        values = sequences_from_table(table, "id", ["x"], "t", "label").inputs
        return np.stack([Scale.of(values).apply(each) for each in values])

    np.testing.assert_allclose(standardised(level + unit * plain), standardised(plain), atol=1e-5)
