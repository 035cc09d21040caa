import gzip

import pytest

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.text.pairs import PairLayout, open_pairs, read_pairs, read_sources, read_two_files
from ostinato.data.text.vocabulary import learn_tokenizer


def write(folder, content, name="pairs.txt"):
    path = folder / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return path


@pytest.mark.parametrize("name", ["pairs.txt", "pairs.txt.gz"])
def test_pairs_of_one_file_with_blanks_stripped_and_empty_lines_passed_over(tmp_path, name):
    pairs = read_pairs(write(tmp_path, "16+75  _91  \n\n52+607 _659\r\n 1+1_ 2", name), "_")
    assert pairs.sources == ("16+75", "52+607", "1+1")
    assert pairs.targets == ("91", "659", "2")
    assert pairs.incomplete == 0


def test_tab_is_the_separator_unless_told_and_may_be_longer(tmp_path):
    assert read_pairs(write(tmp_path, "ein Hund\ta dog\n")).targets == ("a dog",)
    assert read_pairs(write(tmp_path, "ein Hund ||| a dog\n"), "|||").sources == ("ein Hund",)


def test_a_line_feed_alone_ends_a_line(tmp_path):
    assert read_pairs(write(tmp_path, "a\x0bb\u2028c\td\x85e\n")).sources == ("a\x0bb\u2028c",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a_b\nc d\n", r"line 2: expected a source, '_' and a target, got no separator in 'c d'; name .* --separator"),
        ("a_b\n\nc_d_e\n", r"line 3: .* got 2 separators in 'c_d_e'; take the other fields out"),
        ("\n \n", r"pairs.txt: no pairs there; expected lines of source, '_', target"),
        ("_b\na_\n", "no pairs there"),
    ],
)
def test_lines_that_are_no_pairs(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_pairs(write(tmp_path, content), "_")


def test_pairs_with_an_empty_side_are_counted(tmp_path):
    pairs = read_pairs(write(tmp_path, "a\tb\n\tc\nd\t\ne\tf\n"))
    assert (pairs.sources, pairs.targets, pairs.incomplete) == (("a", "e"), ("b", "f"), 2)


def test_two_files_line_by_line(tmp_path):
    one, two = write(tmp_path, "eins\n\nzwei\n", "a.de.gz"), write(tmp_path, "one\nvoid\ntwo", "a.en")
    pairs = read_two_files(one, two)
    assert (pairs.sources, pairs.targets, pairs.incomplete) == (("eins", "zwei"), ("one", "two"), 1)


def test_two_files_of_unequal_length(tmp_path):
    with pytest.raises(DataError, match=r"a.de has 3 lines and .*a.en 2: expected as many"):
        read_two_files(write(tmp_path, "1\n2\n3\n", "a.de"), write(tmp_path, "1\n2\n", "a.en"))


def test_an_empty_separator_and_a_folder(tmp_path):
    write(tmp_path, "a\tb", "1")
    write(tmp_path, "a\tb", "2")
    with pytest.raises(ConfigError, match="at least one character"):
        read_pairs(tmp_path / "1", "")
    with pytest.raises(DataError, match="expected one file, got a folder of 2"):
        read_pairs(tmp_path)


def test_columns_of_tables(tmp_path):
    """Quoted fields with commas, quotation marks and line ends; a header is none of the pairs."""
    quoted = write(tmp_path, 'de,en\n"ein, zwei","one, ""two"""\ndrei,three\n,none\n', "p.csv")
    with pytest.warns(UserWarning, match="p.csv: 1 pairs with an empty side were left out"):
        pairs = open_pairs([str(quoted)])
    assert (pairs.sources, pairs.targets) == (("ein, zwei", "drei"), ('one, "two"', "three"))
    assert pairs.columns == ["de", "en"]
    assert open_pairs([str(quoted)], PairLayout(",")).sources == pairs.sources
    semicolons = write(tmp_path, 'de;en;n\n"ein; zwei";one;1\n', "semi.csv")
    assert open_pairs([str(semicolons)], PairLayout(";", columns="de,en", columns_named=True)).sources == ("ein; zwei",)
    assert read_sources(semicolons, PairLayout(";", columns="de,en")) == ("ein; zwei",)
    assert open_pairs([str(quoted)], PairLayout(columns_named=True, columns="en, de")).sources == pairs.targets
    assert read_sources(quoted) == ("ein, zwei", "drei", "")
    assert read_sources(write(tmp_path, 'de\n"ein, zwei"\n', "s.csv"), PairLayout()) == ("ein, zwei",)
    rows = write(tmp_path, '{"id": 7, "de": "eins", "en": "one"}\n', "p.jsonl")
    assert open_pairs([str(rows)], PairLayout(columns_named=True, columns="de,en")).targets == ("one",)
    with pytest.raises(DataError, match=r"a table of two columns, got 3: id, de, en; name .* by --columns"):
        open_pairs([str(rows)])
    with pytest.raises(ConfigError, match="--columns: expected two columns, SOURCE,TARGET, got 'de'"):
        open_pairs([str(rows)], PairLayout(columns_named=True, columns="de"))
    with pytest.raises(DataError, match="no column 'fr'"):
        open_pairs([str(rows)], PairLayout(columns_named=True, columns="fr,en"))


def test_a_run_of_a_table_reads_lines_too(tmp_path):
    trained = PairLayout(columns="de,en")
    assert read_sources(write(tmp_path, "eins, zwei\nde\n", "new.txt"), trained) == ("eins, zwei", "de")
    assert read_sources(write(tmp_path, "en\tde\none\teins\n", "new.tsv"), trained) == ("eins",)


def test_lines_in_a_file_named_csv(tmp_path):
    assert open_pairs([str(write(tmp_path, "a,b\tc\nd\te\n", "p.csv"))]).sources == ("a,b", "d")
    assert open_pairs([str(write(tmp_path, "a,b\nc,d\n", "p.csv"))], PairLayout(",")).sources == ("a", "c")
    with pytest.raises(DataError, match=r"line 1: .* got 2 separators .* by --columns SOURCE,TARGET"):
        open_pairs([str(write(tmp_path, '"a,b",c\n', "p.txt"))], PairLayout(","))


def test_sources_keep_their_empty_lines(tmp_path):
    assert read_sources(write(tmp_path, "a\n\n b \n")) == ("a", "", "b")
    with pytest.raises(DataError, match="found nothing"):
        read_sources(write(tmp_path, "\n\n"))


def test_selected_pairs_are_other_content_for_the_record(tmp_path):
    pairs = read_pairs(write(tmp_path, "a\tb\nc\td\ne\tf\n"))
    part = pairs.select([2, 0])
    assert (part.sources, part.targets) == (("e", "a"), ("f", "b"))
    assert part.digest not in (pairs.digest, pairs.select([0, 2]).digest)
    assert pairs.select(range(3)).digest == pairs.digest


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_a_tokenizer_learned_from_pairs_knows_no_line_end(tmp_path, level):
    pairs = read_pairs(write(tmp_path, "ein Hund\ta dog\nzwei Hunde\ttwo dogs\n"))
    tokenizer = learn_tokenizer(pairs.lines(pairs.targets), level)
    ids = tokenizer.encode_all(pairs.targets)
    assert [tokenizer.decode(row) for row in ids] == ["a dog", "two dogs"]
    if level != "bpe":
        assert "\n" not in tokenizer.vocabulary
        assert "z" not in tokenizer.vocabulary
        assert "Hund" not in tokenizer.vocabulary
    both = learn_tokenizer(pairs.lines(pairs.sources, pairs.targets), level)
    assert both.unknown("Hunde zwei dogs a") == []
