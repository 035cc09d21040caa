"""Text in another encoding: which one is named, what is advised, and `--encoding` for every reader."""

import bz2
import json
import lzma
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.labelled.ts import read_ts
from ostinato.data.pictures.captions import read_captions, read_names
from ostinato.data.sources.encodings import read_as, text_encoding, whole_characters
from ostinato.data.sources.files import find_files
from ostinato.data.tables.reading import read_table
from ostinato.data.text.conll import read_tagged
from ostinato.data.text.pairs import read_pairs, read_sources, read_two_files
from ostinato.data.text.reading import open_text

KOREAN = "이 영화는 정말 재미있었어요. 배우들의 연기가 훌륭합니다.\n별로였다. 시간 낭비\n"
JAPANESE = "この映画はとても面白かったです。俳優の演技も素晴らしい。\nつまらない映画だった。\n"
CHINESE = "这部电影非常好看，演员的表演很精彩。\n浪费时间，不推荐。\n"
RUSSIAN = "Этот фильм очень хороший, актёры играют прекрасно.\nПотерянное время.\n"
GERMAN = "Der Film war schön, „großartig“ gespielt – für alle.\nüber alle Maßen\n"
ENGLISH = "It’s a “fine” film – don’t miss it.\nNot good\n"

CASES = [
    (KOREAN, "cp949", "cp949"),
    (KOREAN, "euc_kr", "cp949"),
    (JAPANESE, "shift_jis", "cp932"),
    (JAPANESE, "euc_jp", "euc_jp"),
    (CHINESE, "gb18030", "gb18030"),
    (CHINESE, "gbk", "gb18030"),
    ("這部電影非常好看，演員的表演很精彩。\n", "big5", "big5"),
    (RUSSIAN, "cp1251", "cp1251"),
    (RUSSIAN, "koi8_r", "koi8_r"),
    (GERMAN, "cp1252", "cp1252"),
    (ENGLISH, "cp1252", "cp1252"),
    ("für alle\n", "latin-1", "cp1252"),
]


def message(source: str) -> str:
    with pytest.raises(DataError) as caught:
        open_text(source)
    return str(caught.value)


@pytest.mark.parametrize(("text", "encoding", "named"), CASES)
def test_likely_encoding_is_named_and_reads_the_text(write, documents, text, encoding, named):
    path = write(text.encode(encoding))
    said = message(path)
    assert f"({named})" in said or f"like {named}:" in said
    assert f"give --encoding {named}, or" in said
    with read_as(named):
        assert documents(open_text(path)) == [text]
    assert message(path) == said  # only within


@pytest.mark.skipif(shutil.which("iconv") is None, reason="needs iconv")
@pytest.mark.parametrize(("text", "encoding", "named"), CASES)
def test_advised_command_runs_as_it_stands(write, tmp_path, text, encoding, named):
    write(text.encode(encoding), "a film.txt")
    command = message(str(tmp_path / "a film.txt")).partition("convert it: ")[2]
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "converted.txt").read_bytes() == text.encode()


def test_utf_16_and_utf_32_are_told_apart_with_and_without_a_mark(write, documents):
    for encoding in ("utf-16", "utf-32"):
        path = write("Schnee\n".encode(encoding))
        assert f"the byte order mark of {encoding.upper()}; give --encoding {encoding}" in message(path)
        with read_as(encoding):
            assert documents(open_text(path)) == ["Schnee\n"]
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        assert f"this looks like {encoding}; give --encoding {encoding}" in message(write("Schnee\n".encode(encoding)))


@pytest.mark.parametrize(
    "content", [b"ab\nc\0d\xff", b"\x89PNG\r\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0", b"\0\1" * 40, bytes(40)]
)
def test_what_is_binary_is_no_other_encoding(write, content):
    assert "this file is binary" in message(write(content))


def test_one_bad_byte_in_utf_8_is_no_other_encoding(write):
    said = message(write(("schön, für alle; Äpfel\n" * 9).encode() + b"caf\xe9\n"))
    assert "What is around it is UTF-8: mend this place" in said
    assert "--encoding" not in said
    with read_as("cp949"):
        assert "leave --encoding out" in message(write("schön für alle, Äpfel, naïve ß日本語\n".encode()))


def test_place_and_encoding_far_into_a_long_file(write):
    lines = [f"line {number}" for number in range(40_000)]
    said = message(write(("\n".join(lines) + "\n" + KOREAN * 9_000).encode("cp949")))
    assert "line 40001, " in said
    assert "cp949" in said


def test_utf_8_mark_wins_over_the_option(write, documents):
    with read_as("cp949"):
        assert documents(open_text(write("\ufeffschön"))) == ["schön"]


def test_names_of_encodings():
    assert [text_encoding(name) for name in ("UTF8", "latin-1", "sjis")] == ["utf-8", "iso8859-1", "shift_jis"]
    for name in ("base64", "nonsense", "utf\0"):
        with pytest.raises(ConfigError, match="--encoding: expected the name of an encoding"):
            text_encoding(name)


def test_every_reader_takes_it(write):
    """One root: what is found is decoded, whoever reads it."""
    with read_as("cp949"):
        table = read_table(write("글,말\n좋다,예\n".encode("cp949"), "t.csv"))
        assert table.columns == {"글": ["좋다"], "말": ["예"]}
        assert read_table(write("글\t말\n좋다\t예\n".encode("cp949"), "t.tsv")).columns == table.columns
        rows = json.dumps({"글": "좋다"}, ensure_ascii=False).encode("cp949")
        assert read_table(write(rows, "t.jsonl")).columns == {"글": ["좋다"]}
        assert read_pairs(write("좋다\tgood\n".encode("cp949"), "p.tsv")).sources == ("좋다",)
        assert read_sources(write("좋다\n".encode("cp949"), "s.txt")) == ("좋다",)
        two = write("좋다\n".encode("cp949"), "a"), write(b"good\n", "b")
        assert read_two_files(*two).sources == ("좋다",)
        assert read_tagged([write("좋다\tV\n개\tN\n".encode("cp949"), "c.txt")]).words == [["좋다", "개"]]
        assert read_captions(write("image,caption\n1.jpg,좋다\n".encode("cp949"), "c.csv")).texts == (("좋다",),)
        assert read_captions(write("1.jpg#0\t좋다\n".encode("cp949"), "f.txt")).texts == (("좋다",),)
        assert read_names(write("개.jpg\n".encode("cp949"), "n.txt")) == ["개.jpg"]
        ts = "# 말\n@classLabel true 예\n@data\n1,2:예\n".encode("cp949")
        assert read_ts(write(ts, "x.ts")).labels == ["예"]


def packed(kind: str, folder: Path, name: str, content: bytes) -> str:
    path = folder / f"{name}.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
            archive.writestr("__MACOSX/._" + name, b"\0")
    else:
        path.write_bytes({"bz2": bz2, "xz": lzma}[kind].compress(content))
    return str(path)


@pytest.mark.parametrize("kind", ["zip", "bz2", "xz"])
def test_packed_files(tmp_path, documents, kind):
    assert documents(open_text(packed(kind, tmp_path, "book", b"text\n"))) == ["text\n"]
    table = read_table(packed(kind, tmp_path, "t.jsonl", b'{"a": 1}\n'))
    assert (table.columns, table.name) == ({"a": [1]}, str(tmp_path / f"t.jsonl.{kind}"))
    assert read_tagged([packed(kind, tmp_path, "t.conllu", b"1\ta\t_\tN\t_\t_\t_\t_\t_\t_\n")]).tags == [["N"]]
    path = Path(packed(kind, tmp_path, "long", bytes(range(65, 91)) * 1000))
    path.write_bytes(path.read_bytes()[:-20])
    assert "damaged" in message(str(path))


def test_archive_of_several_files_is_as_a_folder(tmp_path, documents):
    with zipfile.ZipFile(tmp_path / "books.zip", "w") as archive:
        for name in ("b.txt", "a/z.txt", ".hidden", "a/.hidden"):
            archive.writestr(name, name)
    text = open_text(str(tmp_path / "books.zip"))
    assert documents(text) == ["a/z.txt", "b.txt"]
    assert text.names == tuple(f"{tmp_path}/books.zip/{name}" for name in ("a/z.txt", "b.txt"))
    with zipfile.ZipFile(tmp_path / "sheet.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "")
    assert "an Office document; save it as CSV" in message(str(tmp_path / "sheet.xlsx"))


def test_lone_surrogates_become_replacement_characters():
    assert whole_characters("a\ud83d b\udc00") == "a\ufffd b\ufffd"
    assert whole_characters("😀") == "😀"


def test_names_of_files_found(tmp_path, write):
    (file,) = find_files(write("x", "a.csv.gz"))
    assert Path(file.plain_name).name == "a.csv"
