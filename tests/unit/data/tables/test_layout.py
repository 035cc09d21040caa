"""Tables of other countries and other programs, against what is written by hand."""

import numpy as np
import pytest

from ostinato.config.reading import TableOptions
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.series.reading import SeriesColumns, numbers, read_series
from ostinato.data.tables.layout import Layout, laid_out, layout_of
from ostinato.data.tables.reading import read_table


def test_semicolons_and_decimal_commas(write):
    path = write('day;price;"a;b"\n31.12.2024;1.234,5;x\n01.01.2025;-,5;y\n02.01.2025;1234;NA\n', "t.csv")
    with laid_out(Layout(separator=";", decimal=",")):
        table = read_table(path)
        assert table.column("a;b") == ["x", "y", "NA"]
        assert table.numbers("price").tolist() == [1234.5, -0.5, 1234]
        (series,), spacing = read_series(table.columns, SeriesColumns(("price",), ("day",)), table.place)
        assert series.target[:, 0].tolist() == [1234.5, -0.5, 1234]
        assert spacing.written(np.array([series.first])) == ["31.12.2024"]
        for wrong in ("1.5", "1,2,3", "1.23,4"):
            with pytest.raises(DataError, match="expected a number in column 'y'"):
                numbers([wrong], "y", str)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t"])
def test_no_line_of_names(write, name):
    separator = "\t" if name == "t.tsv" else ","
    path = write(f"1{separator}x\n2{separator}y\n", name)
    with laid_out(Layout(header=False)):
        table = read_table(path, ["2", "1"])
    assert (table.columns, table.lines.tolist()) == ({"2": ["x", "y"], "1": ["1", "2"]}, [1, 2])


def test_lines_of_comment(write):
    content = '# made by hand\n#\na,b\n1,"two\n# lines"\n# more\n3,4\n5\n'
    with laid_out(Layout(comment="#")):
        with pytest.raises(DataError, match=r"line 8: expected 2 fields"):
            read_table(write(content, "t.csv"))
        table = read_table(write(content.removesuffix("5\n"), "t.csv"))
        assert (table.columns, table.lines.tolist()) == ({"a": ["1", "3"], "b": ["two\n# lines", "4"]}, [4, 7])
        assert read_table(write("#x\na\tb\n#y\n1\t2\n", "t.tsv")).columns == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("datum;umsatz\n1;2,5\n", "umsatz", r"the first line is 'datum;umsatz'; .* --separator \";\" .* --decimal ,"),
        ("datum|umsatz\n1|2\n", "umsatz", r"--separator \"\|\" reads them$"),
        ("datum\tumsatz\n1\t2\n", "umsatz", r"TAB seems to stand between the columns: --separator TAB"),
        ("# about\na,b\n", "a", r"--comment '#' passes over lines"),
        ("1,2.5\n2,3.5\n", "2", r"--no-header counts the columns from 1"),
        ("a,b\n1,2\n", "c", r"no column 'c': there are a, b$"),
    ],
)  # fmt: skip
def test_what_else_a_table_may_be_is_named(write, content, name, message):
    with pytest.raises(DataError, match=message):
        read_table(write(content, "t.csv"), [name])


def test_decimal_commas_are_no_categories(write):
    """A covariate of such numbers would be taken for text otherwise."""
    table = {"y": [1.0, 2.0, 3.0], "p": ["1,5", "2", ""]}
    with pytest.raises(DataError, match=r"0: '1,5' in column 'p' looks like .* a decimal comma.* --decimal ,"):
        read_series(table, SeriesColumns(("y",), past=("p",)), str)
    with pytest.raises(DataError, match=r"expected a number in column 'p', got '1,5'; --decimal , reads"):
        numbers(table["p"], "p", str)
    with pytest.raises(DataError, match=r"got '1,5'; --decimal , reads"):
        read_table(write('p\n"1,5"\n', "t.csv")).numbers("p")
    with laid_out(Layout(decimal=",")):
        (series,), _ = read_series(table, SeriesColumns(("y",), past=("p",)), str)
    np.testing.assert_array_equal(series.covariates["p"], [1.5, 2, np.nan])


def test_a_separator_is_one_character():
    assert layout_of({"separator": "TAB", "decimal": None}) == Layout(separator="\t")
    assert layout_of({}) == Layout()
    for wrong in ("", ";;", '"'):
        with pytest.raises(ConfigError, match="--separator: expected one character"):
            TableOptions(separator=wrong)
