"""What files seem to be: small ones of every kind, and the public data where they are there."""

import gzip
import os
from pathlib import Path

import pytest

from ostinato.core.errors import DataError
from ostinato.studio.guessing import guess, guess_two

DATA = Path(os.environ.get("OSTINATO_DATA", "../shared/data"))


def rows(count, line):
    return "".join(line(n) + "\n" for n in range(count))


KINDS = {
    "text": ("book.txt", rows(40, lambda n: f"It was the {n}th day, and nobody had said a word."), "lm", {}),
    "words": ("ptb.txt", rows(9, lambda n: "the <unk> of it is N"), "lm", {"level": "word"}),
    "reviews": (
        "reviews.csv",
        "review,stars,sentiment\n"
        + rows(60, lambda n: f"this was rather {'good' if n % 2 else 'bad'},{n % 5}.5,{n % 2}"),
        "classify",
        {"text": "review", "label": "sentiment"},
    ),
    "scores": (
        "essays.jsonl",
        rows(60, lambda n: f'{{"essay": "what I did on day {n} was much", "score": {n / 7}}}'),
        "regress",
        {"text": "essay", "target": "score"},
    ),
    "sorted": (
        "sorted.tsv",
        "label\ttext\n" + rows(9000, lambda n: f"{int(n < 4500)}\tthe words of review {n} go on for a while"),
        "classify",
        {"text": "text", "label": "label"},
    ),
    "conll": (
        "x.conll",
        rows(30, lambda n: f"word{n} {'NV'[n % 2]}" if n % 6 else ""),
        "tag",
        {"column": "2"},
    ),
    "months": (
        "sales.csv",
        "month,sales,weather\n" + rows(96, lambda n: f"{2010 + n // 12}-{n % 12 + 1:02d},{100 + n},{n % 7}"),
        "forecast",
        {"target": "sales", "time": "month", "season": 12, "window": 16, "horizon": 8, "past": "weather"},
    ),
    "decimal": (
        "verbrauch.csv",
        "Datum;Wert\n" + rows(90, lambda n: f"2024-{n // 28 + 1:02d}-{n % 28 + 1:02d};{n},5"),
        "forecast",
        {"separator": ";", "decimal": ",", "target": "Wert", "time": "Datum"},
    ),
    "pairs": (
        "dates.txt",
        rows(30, lambda n: f"May {n + 1}, 99_1999-05-{n + 1:02d}"),
        "translate",
        {"separator": "_"},
    ),
    "tabs": ("en-de.tsv", rows(30, lambda n: f"the man {n} sees\tder Mann {n} sieht"), "translate", {}),
    "ts": ("x.ts", "@problemName x\n@classLabel true a b\n@data\n1,2,3:a\n3,2,1:b\n", "classify", {}),
    "targets": ("x.ts", "@problemName x\n@targetlabel true\n@data\n1,2,3:0.5\n3,2,1:0.25\n", "regress", {}),
    "captions": ("c.csv", "image,caption\na.jpg,A dog runs .\nb.jpg,A cat sits .\n", "caption", {}),
    "sensors": (
        "long.csv",
        "id,x,y,label\n" + rows(90, lambda n: f"s{n // 9},{n * 1.5},{n * 0.5},{'ab'[n // 9 % 2]}"),
        "classify",
        {"id": "id", "label": "label", "values": "x,y"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_each_kind(kind, tmp_path):
    name, content, task, options = KINDS[kind]
    file = tmp_path / "data"
    file.with_suffix(Path(name).suffix).write_text(content)
    found = guess(file.with_suffix(Path(name).suffix), name)
    first = next(iter(found.tasks))
    assert first == task
    assert options.items() <= found.tasks[task].items()
    assert found.rows


def test_a_packed_file_goes_by_the_name_within(tmp_path):
    file = tmp_path / "data.csv.gz"
    file.write_bytes(gzip.compress(KINDS["months"][1].encode()))
    assert next(iter(guess(file, "sales.csv.gz").tasks)) == "forecast"


def test_two_files_belong_together_line_by_line(tmp_path):
    one, two, three = (tmp_path / name for name in ("a.txt", "b.txt", "c.txt"))
    one.write_text("a man\na dog\n")
    two.write_text("ein Mann\nein Hund\n")
    three.write_text("eine Frau\n")
    found = guess_two((one, two), ("a.en", "b.de"))
    assert found.tasks == {"translate": {"source": str(one), "target": str(two)}}
    assert found.rows == [["a man", "ein Mann"], ["a dog", "ein Hund"]]
    with pytest.raises(DataError, match=r"a.en has 2 lines, c.de 1"):
        guess_two((one, three), ("a.en", "c.de"))


def test_what_is_none_of_these_is_said(tmp_path):
    (tmp_path / "data.txt").write_text(" \n")
    with pytest.raises(DataError, match="is empty"):
        guess(tmp_path / "data.txt", "nothing.txt")
    (tmp_path / "data.csv").write_bytes(b"\x00\x01\x02" * 50)
    with pytest.raises(DataError):
        guess(tmp_path / "data.csv", "binary.csv")


PUBLIC = {
    "tinyshakespeare/input.txt": ("lm", {}),
    "ptb/ptb.valid.txt": ("lm", {"level": "word"}),
    "imdb/imdb_train.tsv.gz": ("classify", {"text": "text", "label": "label"}),
    "dlfs2/addition.txt": ("translate", {"separator": "_", "level": "char"}),
    "dlfs2/date.txt": ("translate", {"separator": "_", "level": "char"}),
    "ud_english_ewt/en_ewt-ud-dev.conllu.gz": ("tag", {"column": "upos"}),
    "timeseries/AirPassengers.csv": ("forecast", {"target": "#Passengers", "time": "Month", "season": 12}),
    "timeseries/daily-min-temperatures.csv": ("forecast", {"target": "Temp", "time": "Date", "season": 7}),
    "timeseries/data-02-stock_daily.csv": ("forecast", {"comment": "#", "header": False, "target": "5"}),
    "timeseries/monthly-sunspots.csv": ("forecast", {"target": "Sunspots", "season": 12}),
    "timeseries/pollution.csv": ("forecast", {"target": "pm2.5", "time": "year,month,day,hour", "season": 24}),
    "ucr_uea/ArrowHead_TRAIN.ts": ("classify", {}),
    "ucr_uea/BasicMotions_TRAIN.ts": ("classify", {}),
    "flickr8k/captions_1000.csv": ("caption", {}),
    "flickr8k/Flickr8k.token.txt": ("caption", {}),
}


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.slow
def test_public_data(name):
    file = DATA / name
    if not file.exists():
        pytest.skip("the public data are not here")
    task, options = PUBLIC[name]
    found = guess(file, file.name)
    assert next(iter(found.tasks)) == task
    assert options.items() <= found.tasks[task].items()
