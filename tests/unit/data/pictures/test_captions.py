"""Captions, pictures and features from files."""

import gzip
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ostinato.core.errors import DataError
from ostinato.data.pictures.captions import part_of, read_captions, read_names
from ostinato.data.pictures.views import EncodedCaptions, Features, Pictures, unusable

FLICKR = "a.jpg#0\tA dog .\na.jpg#1\tOne dog .\nb c.jpg#0\tA # cat .\n"


def write(folder, content, name="captions.csv"):
    path = folder / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return str(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("captions.csv", 'image,caption\na.jpg,A dog .\nb c.jpg,"A # cat ."\na.jpg,One dog .\n'),
        ("captions.tsv.gz", "caption\timage\nA dog .\ta.jpg\nA # cat .\tb c.jpg\nOne dog .\ta.jpg\n"),
        ("Flickr8k.token.txt", FLICKR),
        ("tokens.txt.gz", FLICKR),
    ],
)
def test_captions_by_picture(tmp_path, name, content):
    found = read_captions(write(tmp_path, content, name))
    assert found.names == ("a.jpg", "b c.jpg")
    assert found.texts == (("A dog .", "One dog ."), ("A # cat .",))
    assert found.lines().texts == ("A dog .", "One dog .", "A # cat .")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,text\na,b\n", "no column 'caption'"),
        ("image,caption\n", "it has no rows"),
        ("image,caption\na.jpg,\n", "no captions there"),
        ("a.jpg#0\tA dog .\na.jpg A cat .\n", "line 2: expected NAME#NUMBER, a TAB and a caption, as in line 1"),
    ],
)
def test_malformed_captions(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_captions(write(tmp_path, content))


@pytest.mark.filterwarnings("error")
def test_rows_left_out_are_told(tmp_path):
    """Neither a row without a picture nor one without a caption goes without a word."""
    table = write(tmp_path, "image,caption\na.jpg,A dog .\n,A cat .\nb.jpg,\n ,A bird .\n")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert read_captions(table).names == ("a.jpg",)
    assert [str(one.message).removeprefix(f"{table}: ") for one in told] == [
        "line 3: no picture (so in 2 rows); left out",
        "line 4: no caption (so in 1 rows); left out",
    ]
    with pytest.warns(UserWarning, match="line 2: no caption"):
        read_captions(write(tmp_path, "a.jpg#0\tA dog .\nb.jpg#0\t \n", "flickr.txt"))
    with pytest.warns(UserWarning, match="1 of its 2 names, such as 'q.jpg', have no caption in"):
        part_of(read_captions(write(tmp_path, FLICKR)), write(tmp_path, "a.jpg\nq.jpg\n", "n.txt"))


def test_parts_by_a_list_of_names_or_captions_of_their_own(tmp_path):
    whole = read_captions(write(tmp_path, FLICKR))
    names = write(tmp_path, "b c.jpg\n\nunknown.jpg\nb c.jpg\n", "names.txt")
    assert read_names(names) == ["b c.jpg", "unknown.jpg"]
    part = part_of(whole, names)
    assert (part.names, part.texts) == (("b c.jpg",), (("A # cat .",),))
    assert part_of(whole, write(tmp_path, "z.jpg#0\tA bird .\n", "own.txt")).names == ("z.jpg",)
    assert read_names(write(tmp_path, FLICKR)) == ["a.jpg", "b c.jpg"]
    with pytest.raises(DataError, match=r"none of its 1 names, such as 'q.jpg', has a caption in"):
        part_of(whole, write(tmp_path, "q.jpg\n", "other.txt"))
    with pytest.raises(DataError, match="names of pictures, one a line, found none"):
        read_names(write(tmp_path, "\n", "none.txt"))


def test_pictures_are_brought_to_one_size_and_damaged_ones_are_told_apart(tmp_path):
    image = pytest.importorskip("PIL.Image")
    left_red = np.zeros((40, 60, 3), np.uint8)
    left_red[:, :30, 0] = 255
    image.fromarray(left_red).save(tmp_path / "good.png")
    image.fromarray(left_red[..., 0]).save(tmp_path / "grey.png")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    pictures = Pictures(tmp_path, 16)
    names = ["good.png", "cut.png", "gone.png", "grey.png", "text.png"]
    assert pictures.usable(names) == (["good.png", "grey.png"], ["cut.png", "gone.png", "text.png"])
    batch, lengths = pictures.batch(["grey.png", "good.png"])
    assert lengths is None
    assert batch.shape == (2, 3, 16, 16)
    assert (batch[1, 0, :, :7] == 255).all()
    assert not batch[1, 0, :, 9:].any()
    assert not batch[1, 1:].any()
    assert (batch[0, :, :, :7] == 255).all()
    assert (
        unusable(["cut.png", "gone.png", "text.png"], 5)
        == "3 of 5 pictures are missing or damaged and were left out: cut.png, gone.png, text.png"
    )
    with pytest.raises(DataError, match="no such folder"):
        Pictures(tmp_path / "nowhere", 16)


def test_features_are_vectors_or_grids(tmp_path):
    grid = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    file = tmp_path / "f.safetensors"
    bad = np.array([np.nan, 0, 0], np.float32)
    save_file({"v": np.array([7, 8, 9], np.float16), "g": grid, "bad": bad}, file)
    features = Features(file)
    assert features.size == 3
    assert features.usable(["v", "bad", "none", "g"]) == (["v", "g"], ["bad", "none"])
    batch, lengths = features.batch(["v", "g"])
    assert lengths.tolist() == [1, 4]
    assert batch[:, 1].tolist() == grid.reshape(4, 3).tolist()
    assert batch[:, 0].tolist() == [[7, 8, 9], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_features_that_cannot_be_used(tmp_path):
    file = tmp_path / "f.safetensors"
    with pytest.raises(DataError, match="no such file"):
        Features(file)
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="damaged, or not a safetensors file"):
        Features(file)
    save_file({"a": np.zeros(3, np.float32), "b": np.zeros((2, 4), np.float32)}, file)
    with pytest.raises(DataError, match="expected features of one size, got"):
        Features(file)
    save_file({"a": np.zeros((), np.float32)}, file)
    with pytest.raises(DataError, match=r"a: expected a vector \[F\] or a grid \[P, F\], got shape \[\]"):
        Features(file)
    save_file({}, file)
    with pytest.raises(DataError, match="holds no features"):
        Features(file)


def test_a_batch_joins_each_caption_with_its_picture(tmp_path):
    save_file({"v": np.ones(2, np.float32), "w": np.zeros(2, np.float32)}, tmp_path / "f.safetensors")
    views = Features(tmp_path / "f.safetensors")
    captions = EncodedCaptions(["v", "w", "v"], [np.array([5, 6]), np.array([7]), np.array([8, 9, 3])], views)
    batch = captions.batch(np.array([2, 1]))
    assert batch.inputs[0].tolist() == [[1, 1], [0, 0]]
    assert batch.targets.T.tolist() == [[8, 9, 3, 0], [7, 0, 0, 0]]
    assert batch.more["target_inputs"].T.tolist() == [[0, 8, 9, 3], [0, 7, 0, 0]]
    assert batch.tokens == 6
    assert captions.within(2).names == ["v", "w"]
    assert Path(tmp_path).exists()
