"""Arrays of .npz files: read without NumPy's reader where they lie as NumPy writes them, and the same as by it."""

import tracemalloc
import zipfile

import numpy as np
import pytest

from ostinato.core.errors import ConfigError
from ostinato.runtime import load
from ostinato.runtime.npz import read_arrays

ARRAYS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
    "vector": np.arange(5, dtype=np.int64),
    "number": np.float32(3.5),
    "flags": np.array([True, False]),
    "bytes": np.frombuffer(b"text", np.uint8),
    "big_endian": np.arange(3, dtype=">i4"),
    "four": np.ones((1, 2, 3, 1), np.float16),
}


@pytest.fixture
def numpy_reads_nothing(monkeypatch):
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("NumPy's reader was called"))


def check(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
        assert found[name].flags.aligned


def test_what_numpy_writes_is_read_without_its_reader(tmp_path, numpy_reads_nothing):
    np.savez(tmp_path / "model.npz", **ARRAYS)
    check(read_arrays(tmp_path / "model.npz"), ARRAYS)


@pytest.mark.parametrize("arrays", [{"none": np.ones((0, 3), np.float32)}, {"ö": np.ones(2)}, {"text": np.array("ab")}])
def test_what_it_writes_otherwise_is_read_by_numpy(tmp_path, arrays):
    np.savez(tmp_path / "model.npz", **ARRAYS, **arrays)
    check(read_arrays(tmp_path / "model.npz"), {**ARRAYS, **arrays})


def test_packed_files_and_files_with_a_comment_are_read(tmp_path):
    np.savez_compressed(tmp_path / "packed.npz", **ARRAYS)
    check(read_arrays(tmp_path / "packed.npz"), ARRAYS)
    np.savez(tmp_path / "model.npz", **ARRAYS)
    with zipfile.ZipFile(tmp_path / "model.npz", "a") as file:
        file.comment = b"as archivers write it"
    check(read_arrays(tmp_path / "model.npz"), ARRAYS)


def test_no_array_runs_anything(tmp_path):
    np.savez(tmp_path / "model.npz", objects=np.array([print], object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        read_arrays(tmp_path / "model.npz")


def test_every_cut_and_every_changed_byte_of_an_array_is_seen(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, weight=np.arange(9, dtype=np.float32))
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(ConfigError, match="damaged or cut off"):
            load(path)
    begin = whole.index(b"\n", whole.index(b"NUMPY")) + 1
    for place in range(begin, begin + 36):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ConfigError, match="damaged"):
            load(path)


def test_a_size_that_an_entry_claims_takes_no_memory(tmp_path):
    path, arrays = tmp_path / "model.npz", {"weight": np.arange(9, dtype=np.float32)}
    np.savez(path, **arrays)
    content = path.read_bytes()
    entry = content.index(b"PK\x01\x02")
    for place in (20, 24):  # packed and whole size of the entry
        content = content[: entry + place] + (0xF0000000).to_bytes(4, "little") + content[entry + place + 4 :]
    path.write_bytes(content)
    tracemalloc.start()
    try:
        check(read_arrays(path), arrays)  # NumPy's reader goes by the array's own header
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()
