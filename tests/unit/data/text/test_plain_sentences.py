"""Sentences as people write them, told from words in columns."""

import pytest

from ostinato.core.errors import DataError
from ostinato.data.sources.files import find_files
from ostinato.data.text.conll_layout import read_layout
from ostinato.data.text.plain_sentences import is_plain, plain_sentences, words_of

TAGS = ("DET", "NOUN", "VERB", "PUNCT")


@pytest.fixture
def plain(write):
    def asked(content, column=1):
        (file,) = find_files(write(content))
        return is_plain(file, read_layout(file), column, TAGS)

    return asked


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("The dog ran .\n", True),
        ("The dog\n", True),
        ("The dog ran.\nIt slept on the mat.\n", True),
        ("The DET\ndog NOUN\n", False),
        ("The _\ndog _\nran _\n", False),
        ("The\ndog\n\nIt\n", False),
        ("The\tdog\n", False),
        ("The DT\ndog NN\n\nIt PRP\n", False),  # other tags, and sentences apart
        ("# global.columns = FORM POS\nThe DT\ndog NN\n", False),
        ("The DET\ndog NN NOUN\n", False),  # columns, malformed: the reader says where
    ],
)
def test_told_apart(plain, content, expected):
    assert plain(content) == expected


def test_asked_where_it_could_be_either(plain):
    with pytest.raises(DataError, match=r"words in 2 columns, or sentences of 2 words each.*--format columns or"):
        plain("The cat\nA dog\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Is it (so)?", ["Is", "it", "(", "so", ")", "?"]),
        ("don't, 3.14 @ann well-known...", ["don't", ",", "3.14", "@ann", "well-known", "..."]),
        ("\u201eJa\u201c, sagte er", ["\u201e", "Ja", "\u201c", ",", "sagte", "er"]),
        ("\u0928\u092e\u0938\u094d\u0924\u0947 !", ["\u0928\u092e\u0938\u094d\u0924\u0947", "!"]),  # vowel signs stay
        ("?!", ["?", "!"]),
    ],
)
def test_words(text, words):
    assert words_of(text) == words


def test_written_as_columns(write):
    (file,) = find_files(write("The dog ran.\n\nIt slept\n"))
    found = list(plain_sentences(file))
    assert [sentence.column(0) for sentence in found] == [["The", "dog", "ran", "."], ["It", "slept"]]
    assert found[1].text(["X", "Y"], 1) == "It\tX\nslept\tY\n\n"
