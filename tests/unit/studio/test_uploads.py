"""What is dropped is kept under names of our own, whatever it is called."""

import io
import zipfile

import anyio
import pytest

from ostinato.core.errors import DataError
from ostinato.data.pictures.captions import read_captions
from ostinato.serving.problems import Problem
from ostinato.studio.uploads import Uploads

PICTURE = b"\x89PNG not really"


def take(uploads, name, content):
    async def parts():
        for at in range(0, len(content), 1_000):
            yield content[at : at + 1_000]

    return anyio.run(uploads.take, name, parts())


def archive(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name, body in files.items():
            packed.writestr(name, body)
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "data.txt"),
        ("a\x00b.csv", "data.csv"),
        ("x.CONLLU.GZ", "data.conllu.gz"),
        ("run.sh", "data.txt"),
        ("", "data.txt"),
        (".csv", "data.txt"),
    ],
)
def test_of_a_name_nothing_but_a_known_ending_is_kept(tmp_path, name, kept):
    upload = take(Uploads(tmp_path), name, b"text\n" * 500)
    assert upload.path.name == kept
    assert upload.path.parent.parent == tmp_path / ".uploads"
    assert upload.path.read_bytes() == b"text\n" * 500
    assert Uploads(tmp_path).find(upload.id) == upload


@pytest.mark.parametrize("name", ["..", "../x", "", "0123456789abcdef"])
def test_an_id_is_looked_up_and_never_a_path(tmp_path, name):
    with pytest.raises(Problem, match="not there any more"):
        Uploads(tmp_path).find(name)


def test_what_cannot_be_used_leaves_nothing_behind(tmp_path):
    for name, content in {"empty.txt": b"", "bare.zip": archive(**{"a.png": PICTURE})}.items():
        with pytest.raises(DataError, match=name):
            take(Uploads(tmp_path), name, content)
    assert not list((tmp_path / ".uploads").iterdir())


def test_pictures_get_names_of_our_own_and_captions_follow(tmp_path):
    captions = 'image,caption\nup.png,"A dog, running"\nin/b.jpg,A cat\nmissing.png,Nothing\n'
    content = archive(
        **{
            "up.png": PICTURE,
            "../out.png": PICTURE,
            "in/b.jpg": PICTURE,
            "captions.csv": captions,
            ".hidden.png": PICTURE,
        }
    )
    upload = take(Uploads(tmp_path), "mine.zip", content)
    found = read_captions(str(upload.path))
    assert dict(zip(found.names, found.texts, strict=True)) == {
        "000000.png": ("A dog, running",),
        "000001.jpg": ("A cat",),
    }
    assert sorted(path.name for path in upload.images.iterdir()) == ["000000.png", "000001.jpg"]
    assert not (tmp_path.parent / "out.png").exists()


def test_a_zip_of_texts_is_a_text(tmp_path):
    upload = take(Uploads(tmp_path), "books.zip", archive(**{"a.txt": "one\n", "b.txt": "two\n"}))
    assert upload.images is None
    assert upload.path.name == "data.zip"
