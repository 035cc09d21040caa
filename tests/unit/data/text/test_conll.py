"""Files of words and tags: read, written back, and what is said where they are malformed."""

import gzip

import pytest

from ostinato.core.errors import DataError
from ostinato.data.sources.files import find_files
from ostinato.data.text.conll import TagColumns, read_sentences, read_tagged
from ostinato.data.text.conll_layout import CONLLU, Layout, read_layout


def conllu(*words: tuple[str, ...], tail: str = "_") -> str:
    """Lines of CoNLL-U from (id, form, upos)."""
    return "".join(f"{i}\t{form}\t_\t{upos}\t_\t_\t_\t_\t_\t{tail}\n" for i, form, upos in words)


@pytest.mark.parametrize("head", ["#begin document (x); part 000\n", "#newdoc\n", "#\n"])
def test_a_comment_without_a_blank_says_nothing_of_the_columns(write, head):
    (file,) = find_files(write(f"{head}The DET\ncat NOUN\n", "words.txt"))
    assert read_layout(file).width == 2
    (found,) = read_sentences(file, read_layout(file))
    assert len(found.rows) == 2


TWO = (
    "# newdoc\n# text = vámonos al mar\n"
    + conllu(("1-2", "vámonos", "_"), ("1", "vamos", "VERB"), ("2", "nos", "PRON"), ("3-4", "al", "_"))
    + conllu(("3", "a", "ADP"), ("4", "el", "DET"), ("5", "mar", "NOUN"), ("5.1", "voy", "VERB"))
    + "\n# text = # 1\n"
    + conllu(("1", "#", "SYM"), ("2", "1", "NUM"), tail="SpaceAfter=No")
    + "\n# the end\n"
)


@pytest.fixture
def sentences(write):
    def read(content, name="words.txt"):
        (file,) = find_files(write(content, name))
        layout = read_layout(file)
        return layout, list(read_sentences(file, layout))

    return read


@pytest.fixture
def message(sentences):
    def fails(content, name="words.txt"):
        with pytest.raises(DataError) as caught:
            sentences(content, name)
        return str(caught.value)

    return fails


def test_conllu_words_are_the_whole_numbers(sentences):
    layout, (first, second, end) = sentences(TWO)
    assert layout == Layout(10, CONLLU, tabs=True, numbered=True)
    assert first.column(layout.word_column) == ["vamos", "nos", "a", "el", "mar"]
    assert first.column(layout.tag_column) == ["VERB", "PRON", "ADP", "DET", "NOUN"]
    assert second.column(1) == ["#", "1"]
    assert (len(first), len(second), len(end)) == (5, 2, 0)


@pytest.mark.parametrize(
    ("content", "column", "expected"),
    [
        (TWO, 3, TWO.replace("VERB\t", "X\t", 1).replace("PRON", "X").replace("ADP", "X").replace("DET", "X")
         .replace("NOUN", "X").replace("SYM", "X").replace("NUM", "X")),
        ("a  DT\nb NN \n\n \n c   VB\n", 1, "a  X\nb X \n\n \n c   X\n"),
        ("the DT  O\r\ncat NN  B-X\r\n\r\nsat VB O", 2, "the DT  X\r\ncat NN  X\r\n\r\nsat VB X"),
        ("the\ncat \n\nsat", 1, "the X\ncat X\n\nsat X"),
        ("the\tDT\n\tNN\n", 1, "the\tX\n\tX\n"),
        ("-DOCSTART- -X- O\n\n# 12 O\nU.N. NNP B-ORG\n", 2, "-DOCSTART- -X- O\n\n# 12 X\nU.N. NNP X\n"),
        ("# id 12 b\na\u2028b NN\n1\xa0000 CD\n\x85 SYM\n", 1, "# id 12 b\na\u2028b X\n1\xa0000 X\n\x85 X\n"),
    ],
)  # fmt: skip
def test_written_back_with_other_tags(sentences, content, column, expected):
    _, found = sentences(content)
    assert "".join("".join(sentence.lines) for sentence in found) == content
    assert "".join(sentence.text(["X"] * len(sentence), column) for sentence in found) == expected


def test_columns_have_names_where_the_file_gives_them(sentences):
    layout, (only,) = sentences("# global.columns = ID FORM UPOS PARSEME:MWE\n1\tthe\tDET\t*\n2-3\tdon't\t_\t1\n\n")
    assert layout == Layout(4, ("id", "form", "upos", "parseme:mwe"), numbered=True)
    assert only.column(layout.word_column) == ["the"]
    assert layout.find("parseme:MWE", "f") == layout.find("4", "f") == 3


def test_default_columns():
    assert (Layout(4).word_column, Layout(4).tag_column) == (0, 3)
    assert (Layout(10, CONLLU).word_column, Layout(10, CONLLU).tag_column) == (1, 3)


def test_gzipped(sentences):
    assert sentences(gzip.compress(TWO.encode()), "words.conllu.gz")[0].names == CONLLU


def test_unknown_column_names_those_there_are():
    with pytest.raises(DataError, match=r"did you mean 'upos'\? there are id, form, lemma, upos,"):
        Layout(10, CONLLU).find("uppos", "f.conllu")
    with pytest.raises(DataError, match=r"f: has no column 5: expected 1 to 4"):
        Layout(4).find("5", "f")
    with pytest.raises(DataError, match="f: has no column 0: expected 1 to 4"):
        Layout(4).find("0", "f")
    with pytest.raises(DataError, match="f: has no column 'ner': its columns have no names; give a number from 1 to 4"):
        Layout(4).find("ner", "f")


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("", "a.txt", "a.txt: holds no words; expected CoNLL-U, or one word and its tag a line"),
        ("# only\n\n", "a.conllu", "a.conllu: holds no words"),
        ("a DT O\nb NN\n", "a.txt", "a.txt: line 2: expected 3 columns as in its first word, got 2"),
        ("a\tDT\n\nb\tNN\tO\n", "a.txt", "line 3: expected 2 TAB-separated columns as in its first word, got 3"),
        ("1 the _ DET\n", "a.conllu", "a.conllu: line 1: expected 10 TAB-separated columns (CoNLL-U), got 1"),
        (TWO.replace("5\tmar\t_", "5\tmar", 1), "a.txt", "line 9: expected 10 TAB-separated columns (CoNLL-U), got 9"),
        (TWO.replace("5\tmar", "five\tmar"), "a.txt", "line 9: expected a word's number, such as 7, 7-8 or 7.1"),
        ("# global.columns = ID FORM UPOS\n1\tthe\n", "a.conllup", "line 2: expected 3 TAB-separated columns, got 2"),
    ],
)
def test_malformed(message, content, name, expected):
    assert expected in message(content, name)


def test_empty_field_is_named(sentences):
    _, (only,) = sentences("# x\na\tDT\nb\t\n")
    with pytest.raises(DataError, match=r"words.txt: line 3: column 2 is empty"):
        only.column(1)


def test_read_with_tags(write):
    one, other = write(TWO, "a.conllu"), write("# global.columns = UPOS FORM\nX\tmar\n\n", "b.conllup")
    found = read_tagged([one, other])
    assert found.words == [["vamos", "nos", "a", "el", "mar"], ["#", "1"], ["mar"]]
    assert found.tags == [["VERB", "PRON", "ADP", "DET", "NOUN"], ["SYM", "NUM"], ["X"]]
    assert (found.files, found.name, found.index) == ((one, other), "upos", 3)
    assert found.where["NOUN"] == f"{one}: line 9"
    assert found.where["X"] == f"{other}: line 2"


def test_read_other_columns(write):
    found = read_tagged([write("1 the DT\n2 cat NN\n")], TagColumns("1", "2"))
    assert (found.words, found.tags, found.name, found.index) == ([["the", "cat"]], [["1", "2"]], None, 0)


def test_one_column_is_not_enough(write):
    with pytest.raises(DataError, match=r"a\.txt: column 1 would be both words and tags; expected two"):
        read_tagged([write("the\ncat\n", "a.txt")])


def test_where_tags_are_written():
    named, plain = Layout(10, CONLLU), Layout(4)
    assert named.output_column("xpos", 4) == 4
    assert named.output_column(None, 1) == 3  # never over the words
    assert named.output_column("ner", 12) == 10
    assert plain.output_column(None, 3) == 3
    assert Layout(2).output_column(None, 3) == 2
    assert plain.output_column("upos", 3) == 4


def test_tags_go_where_they_would_be_read(write):
    """A model of a file's last column writes into the last column, however many there are."""
    assert Layout(4).output_column(None, 1, last=True) == 3
    assert Layout(4).output_column(None, 1) == 1  # --column 2
    assert Layout(2).output_column(None, 3, last=True) == 2  # words and another column: never over that
    assert Layout(1).output_column(None, 1, last=True) == 1


def test_words_numbered_from_zero(sentences):
    _, (only,) = sentences(conllu(("0", "the", "DET"), ("1", "dog", "NOUN"), ("1.1", "x", "X"), ("2-3", "y", "_")))
    assert only.column(1) == ["the", "dog"]


HEADED = "Token POS NER\nOn IN O\nMonday NNP O\n\nAnn NNP B-PER\n"


def test_a_first_line_of_names_is_no_word(write, sentences):
    found = read_tagged([write(HEADED)])
    assert (found.words, found.tags, found.name) == ([["On", "Monday"], ["Ann"]], [["O", "O"], ["B-PER"]], "ner")
    assert read_tagged([write(HEADED)], TagColumns(tag="pos")).tags == [["IN", "NNP"], ["NNP"]]
    layout, found = sentences(HEADED)
    assert "".join(sentence.text(["X"] * len(sentence), 2) for sentence in found) == (
        "Token POS NER\nOn IN X\nMonday NNP X\n\nAnn NNP X\n"
    )
    assert "".join(sentence.text(["X"] * len(sentence), layout.width) for sentence in found).startswith(
        "Token POS NER tag\nOn IN O X\n"
    )


def test_a_sentence_may_begin_with_such_words(sentences):
    _, found = sentences("word tag\nlabel tag\n\nOn tag\n")
    assert [len(sentence) for sentence in found] == [2, 1]


def test_a_first_line_that_may_be_names_is_told(write):
    name = write("Wort Klasse\n" + "Haus NN\n" * 20, "words.txt")
    with pytest.warns(UserWarning, match=r"words.txt: line 1: the tag 'Klasse' stands here only, in the first of 21"):
        read_tagged([name])


def test_features_are_read_along(write):
    found = read_tagged([write("the DT O\nYork NNP B-LOC\n")], TagColumns(features=("2",)))
    assert found.features == [[["DT", "NNP"]]]
    with pytest.raises(DataError, match="column 3 would be both tags and a feature"):
        read_tagged([write("the DT O\nYork NNP B-LOC\n")], TagColumns(features=("3",)))


def test_ewt_is_read_as_counted_and_written_back_to_the_byte(corpora):
    (file,) = find_files(corpora("ud_english_ewt/en_ewt-ud-dev.conllu.gz"))
    found = list(read_sentences(file, read_layout(file)))
    assert (len(found), sum(map(len, found))) == (2001, 25147)
    with gzip.open(file.path, "rt", encoding="utf-8", newline="") as stream:
        original = stream.read()
    assert "".join(sentence.text(sentence.column(3), 3) for sentence in found) == original


@pytest.mark.parametrize("head", ["# id 5239\tdomain=en\n", "# sent 1 x\n"])
def test_comments_may_have_as_many_columns_as_words(sentences, head):
    layout, found = sentences("".join(f"{head}his _ _ O\nsonny _ _ B-PER\n\n".replace("x", f"x{n}") for n in range(3)))
    assert layout.commented
    assert [[fields[0] for fields in sentence._fields] for sentence in found] == [["his", "sonny"]] * 3


def test_a_word_may_be_a_number_sign(sentences):
    layout, found = sentences("# O\nfun NN\n\n# O\nso RB\nx O\n")
    assert not layout.commented
    assert [len(sentence.rows) for sentence in found] == [2, 3]
