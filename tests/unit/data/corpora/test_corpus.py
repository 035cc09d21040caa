"""Long files in segments: together they are the file, whatever its layout; what is wrong is named by its line."""

import gzip
import json
import os
import warnings

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.corpora.corpus import divided, survey
from ostinato.data.corpora.labelled import ReadsLabelled, files_in_parts
from ostinato.data.corpora.pairs import pairs_in_parts
from ostinato.data.corpora.tagged import tagged_in_parts
from ostinato.data.labelled.reading import LabelledColumns, read_all_labelled
from ostinato.data.sources.encodings import read_as
from ostinato.data.tables.layout import Layout, laid_out
from ostinato.data.text.conll import TagColumns, read_tagged
from ostinato.data.text.pairs import PairLayout, open_pairs

ROWS = [(f"text {row} naïve 고양이 🐈 " + "word " * (row % 7), "abc"[row % 3], row / 8) for row in range(900)]
COLUMNS = LabelledColumns("label", "text")


def plain(separator):
    rows = [("text", "label", "score"), *ROWS]
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


def csv(end="\n"):
    quoted = [(text.replace("word", 'a ""word"",\nin two lines\n'), label, score) for text, label, score in ROWS]
    return "text,label,score\n\n" + "".join(f'"{text}",{label},{score}{end}' for text, label, score in quoted)


def json_lines():
    return "".join(json.dumps({"text": t, "label": label, "score": score}) + "\n\n" for t, label, score in ROWS)


TABLES = {
    "csv": (csv().encode(), Layout()),
    "crlf.csv": (csv("\r\n").encode(), Layout()),
    "marked.csv": (csv().encode("utf-8-sig"), Layout()),
    "semicolon.csv": (plain(";").encode(), Layout(separator=";")),
    "commented.csv": (plain(",").replace("text 5", "# none\ntext 5").encode(), Layout(comment="#")),
    "headless.csv": (plain(",").partition("\n")[2].encode(), Layout(header=False)),
    "tsv": (plain("\t").encode(), Layout()),
    "jsonl": (json_lines().encode(), Layout()),
    "wide": (plain("\t").encode("utf-16"), Layout()),
    "old.tsv": (plain("\t").replace("\n", "\r").encode(), Layout()),
    "csv.gz": (gzip.compress(csv().encode()), Layout()),
}


def surveyed(names, columns=COLUMNS, numbers=False, size=700):
    files = files_in_parts(names, columns)
    assert files is not None
    reads = ReadsLabelled(columns, numbers, tuple(file.name for each in files for file in each))
    return survey(files, reads, size, len)


@pytest.mark.parametrize("kind", TABLES)
def test_the_segments_are_the_table(write, kind):
    content, layout = TABLES[kind]
    name = write(content, kind if "." in kind else f"a.{kind}" if kind != "wide" else "a.txt")
    columns = LabelledColumns("2", "1") if kind == "headless.csv" else COLUMNS
    with laid_out(layout), read_as("utf-16" if kind == "wide" else None):
        whole, corpus = read_all_labelled([name], columns), surveyed([name], columns)
    assert len(corpus.segments) > 40
    assert corpus.examples.sum() == len(whole) == len(ROWS)
    found = corpus.read(range(len(corpus.segments)))  # outside of the layout: the corpus knows it
    assert (found.inputs, found.labels) == (whole.inputs, whole.labels)
    assert [found.places(row) for row in range(900)] == [whole.places(row) for row in range(900)]
    some = corpus.read([7, 3])
    assert some.inputs == [*corpus.read([7]).inputs, *corpus.read([3]).inputs]


def test_lines_with_those_of_their_labels(write):
    texts, labels = ("".join(f"{row[column]}\n" for row in ROWS) for column in range(2))
    names = [f"{write(texts, 'texts.txt')},{write(labels, 'labels.txt')}"]
    whole, corpus = read_all_labelled(names, LabelledColumns()), surveyed(names, LabelledColumns())
    found = corpus.read(range(len(corpus.segments)))
    assert (found.inputs, found.labels) == (whole.inputs, whole.labels)
    assert found.places(500) == whole.places(500)


def test_several_files_one_behind_the_other(write):
    names = [str(write(TABLES["csv"][0], "a.csv")), str(write(TABLES["jsonl"][0], "b.jsonl"))]
    corpus = surveyed(names)
    found, whole = corpus.read(range(len(corpus.segments))), read_all_labelled(names, COLUMNS)
    assert (found.inputs, found.labels) == (whole.inputs, whole.labels)


def test_numbers_to_learn(write):
    columns = LabelledColumns("score", "text")
    name = str(write(TABLES["csv"][0], "a.csv"))
    found = (corpus := surveyed([name], columns, numbers=True)).read(range(len(corpus.segments)))
    assert found.targets[:, 0].tolist() == [score for _, _, score in ROWS]


@pytest.mark.parametrize("kind", ["lines", "csv", "two files"])
def test_pairs(write, kind):
    lines = [(f"source {row}", f"naïve {row}" if row % 50 else "") for row in range(1500)]
    if kind == "two files":
        names = [str(write("".join(f"{pair[side]}\n" for pair in lines), f"{side}.txt")) for side in range(2)]
    elif kind == "csv":
        names = [str(write("from,to\n" + "".join(f'"{a}","{b}"\n' for a, b in lines), "a.csv"))]
    else:
        names = [str(write("".join(f"{a} | {b}\n\n" for a, b in lines)))]
    layout = PairLayout(" | " if kind == "lines" else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = open_pairs(names, layout)
    files, reads = pairs_in_parts(names, layout)
    corpus = survey(files, reads, 500, len)
    found = corpus.read(range(len(corpus.segments)))
    assert len(corpus.segments) > 20
    assert (found.sources, found.targets, found.columns) == (whole.sources, whole.targets, whole.columns)
    assert found.incomplete == whole.incomplete == 30


def test_each_segment_is_trained_on_or_held_out(write):
    corpus = surveyed([write(TABLES["csv"][0], "a.csv")])
    total = corpus.characters.sum()
    one, same, other = (divided(corpus, seed, 0.1 * total) for seed in (1, 1, 2))
    numbers = np.concatenate([*one.shards, one.valid])
    assert sorted(numbers.tolist()) == list(range(len(corpus.segments)))
    assert corpus.characters[one.valid].sum() == pytest.approx(0.1 * total, rel=0.15)
    assert [each.tolist() for each in one.shards] == [each.tolist() for each in same.shards]
    assert one.valid.tolist() == same.valid.tolist() != other.valid.tolist()
    assert not set(one.sample) & set(one.valid)
    # each shard is of all parts of the file: whatever it is sorted by
    assert all(each.min() < len(corpus.segments) / 4 < 3 * len(corpus.segments) / 4 < each.max() for each in one.shards)
    assert len(divided(corpus, 1, 0).valid) == 0


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "lines"])
def test_what_is_wrong_is_named_by_its_line(write, kind):
    if kind == "lines":
        name = str(write("".join(f"a {row}\tb\n" if row != 700 else "none\n" for row in range(900))))
        files, reads = pairs_in_parts([name], PairLayout())
        with pytest.raises(DataError, match="line 701: expected a source"):
            survey(files, reads, 500, len)
        return
    separator = {"csv": ",", "tsv": "\t", "jsonl": ""}[kind]
    rows = [f"t{separator}l" if separator else '{"text": "t", "label": "l"}'] * 900
    rows[700] = "t" if separator else "{"
    heading = [f"text{separator}label"] if separator else []
    name = str(write("".join(f"{row}\n" for row in [*heading, *rows]), f"a.{kind}"))
    with pytest.raises(DataError, match=f"line {701 + len(heading)}: expected"):
        surveyed([name], size=300)


@pytest.mark.parametrize("counts", [(900, 800), (800, 900), (700, 701)])
def test_two_files_of_unequal_length(write, counts):
    names = [str(write("a line\n" * count, f"{place}.txt")) for place, count in enumerate(counts)]
    with pytest.raises(DataError, match="expected as many"):
        surveyed([",".join(names)], LabelledColumns())


def test_what_is_told_of_many_parts_is_told_once(write):
    name = str(write("text,label\n" + ",a\nsome,b\n" * 600, "a.csv"))
    with pytest.warns(UserWarning, match="no text") as told:
        surveyed([name], size=300)
    assert len(told) == 1
    assert "likewise in" in str(told[0].message)


def test_other_content_has_another_digest(write):
    """Of as many characters and lines: what was kept of the one is not taken for the other's."""
    text = plain("\t")
    corpora = [surveyed([write(content)]) for content in (text, text, text.replace("word", "work"))]
    first, again, other = (corpus.digest for corpus in corpora)
    assert first == again != other
    assert np.array_equal(corpora[0].segments, corpora[2].segments)
    assert surveyed([write(text)], size=900).digest != first
    assert surveyed([write(text)], LabelledColumns("score", "text"), numbers=True).digest != first


def test_a_file_that_has_changed_is_an_error(write):
    name = str(write(TABLES["csv"][0], "a.csv"))
    corpus = surveyed([name])
    os.utime(name, ns=(1, 1))
    with pytest.raises(DataError, match="changed while it was in use"):
        corpus.read([5])


def test_what_cannot_be_read_in_parts(write, tmp_path):
    (tmp_path / "folder").mkdir()
    table, one_value = str(write(TABLES["csv"][0], "a.csv")), str(write(b"[]", "a.json"))
    assert files_in_parts([table], COLUMNS) is not None
    for names in ([table, one_value], ["-"], [str(tmp_path / "folder")], [str(tmp_path / "none.ts")]):
        assert files_in_parts(names, COLUMNS) is None
    assert files_in_parts([table], LabelledColumns("label", id="i", values=("v",))) is None
    assert pairs_in_parts(["-"], PairLayout()) is None
    assert pairs_in_parts([one_value], PairLayout()) is None


@pytest.mark.parametrize("kind", ["columns", "header", "conllu"])
def test_tagged_sentences(write, kind):
    sentences = [[f"w{row + k}" for k in range(row % 5 + 1)] for row in range(700)]
    if kind == "conllu":
        content = "".join(
            f"# text = {number}\n"
            + "".join(f"{at}\t{word}\t_\tX{word[-1]}\t_\t_\t_\t_\t_\t_\n" for at, word in enumerate(words, 1))
            + "\n"
            for number, words in enumerate(sentences)
        )
    else:
        heading = "word\tpos\ttag\n" if kind == "header" else ""
        content = heading + "\n\n".join("".join(f"{w}\tF\tT{w[-1]}\n" for w in words) for words in sentences)
    name = str(write(content, f"a.{kind}"))
    columns = TagColumns(features=("2",) if kind != "conllu" else ())
    whole = read_tagged([name], columns)
    files, reads = tagged_in_parts([name], columns)
    corpus = survey(files, reads, 300, lambda part: len(part.words))
    found = corpus.read(range(len(corpus.segments)))
    assert len(corpus.segments) > 20
    assert (found.words, found.tags, found.features) == (whole.words, whole.tags, whole.features) != ([], [], [])
    assert (found.where, found.name, found.index) == (whole.where, whole.name, whole.index)
