"""A file is the old one or the new one, whenever the power goes; what is damaged is named."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ostinato.checkpoint.files import read_json, read_tensors, write_bytes, write_json, write_tensors
from ostinato.core.errors import RunFolderError

TENSORS = {"b": torch.randn(3, 4), "a": torch.arange(5), "c": torch.tensor(2.5, dtype=torch.float64)}


def test_a_kill_at_any_moment_leaves_the_old_or_the_new(tmp_path, killed_at):
    file = tmp_path / "file"
    for number in range(1, 10):
        write_bytes(file, b"old")
        killed = killed_at(lambda: write_bytes(file, b"new"), number)
        assert file.read_bytes() == (b"old" if killed else b"new")
        if not killed:
            break
    assert number == 5  # looked for the folder, opened, flushed and renamed: four moments


def test_the_content_is_on_the_disk_before_the_name_points_to_it(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, Path.replace

    def flushed(handle):
        order.append(os.fstat(handle).st_size)
        fsync(handle)

    def renamed(path, target):
        order.append("renamed")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    write_bytes(tmp_path / "file", b"12345")
    assert order == [5, "renamed"]


def test_a_full_disk_is_said_and_leaves_the_old_file_alone(tmp_path, monkeypatch):
    file = tmp_path / "file"
    write_bytes(file, b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFolderError, match="file: cannot be written: No space left on device"):
        write_bytes(file, b"new")
    assert file.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_place_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="below: cannot be written: "):
        write_bytes(tmp_path / "file" / "below", b"")


def test_tensors_there_and_back_also_by_the_librarys_own_reader(tmp_path):
    write_tensors(tmp_path / "t", TENSORS)
    for found in (read_tensors(tmp_path / "t"), load_file(tmp_path / "t")):
        assert set(found) == set(TENSORS)
        for name, tensor in TENSORS.items():
            assert found[name].dtype == tensor.dtype
            assert torch.equal(found[name], tensor)


def test_the_same_tensors_are_the_same_bytes(tmp_path):
    write_tensors(tmp_path / "one", TENSORS)
    write_tensors(tmp_path / "two", dict(sorted(TENSORS.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_was_read_outlives_the_file(tmp_path):
    write_tensors(tmp_path / "t", TENSORS)
    found = read_tensors(tmp_path / "t")
    write_bytes(tmp_path / "t", b"\0" * 500)
    assert torch.equal(found["b"], TENSORS["b"])


@pytest.mark.parametrize("left", [0, 1, 7, 8, 60, 0.5, -1])
def test_cut_off_tensors_are_named(tmp_path, left):
    file = tmp_path / "model.safetensors"
    write_tensors(file, TENSORS)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * left) if isinstance(left, float) else left])
    with pytest.raises(RunFolderError, match=r"model.safetensors: damaged or cut off, not a whole safetensors file"):
        read_tensors(file)


def test_missing_tensors_are_named(tmp_path):
    with pytest.raises(RunFolderError, match=r"model.safetensors: cannot be read: "):
        read_tensors(tmp_path / "model.safetensors")


@pytest.mark.parametrize("content", ["", '{"a": 1', "[1]", "3", b"\xff"])
def test_damaged_json_is_named(tmp_path, content):
    file = tmp_path / "config.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RunFolderError, match=r"config.json: damaged, expected "):
        read_json(file)


def test_a_name_that_is_not_utf8_holds_tensors_too(tmp_path):
    write_tensors(tmp_path / "weights\udcff", TENSORS)
    assert torch.equal(read_tensors(tmp_path / "weights\udcff")["b"], TENSORS["b"])


def test_json_there_and_back_for_people_and_for_any_file_name(tmp_path):
    content = {"b": 1, "a": ["ä", "name\udcff.txt", None, 0.1]}
    write_json(tmp_path / "c.json", content)
    assert read_json(tmp_path / "c.json") == content
    assert list(json.loads((tmp_path / "c.json").read_text())) == ["b", "a"]
    assert '"ä"' in (tmp_path / "c.json").read_text()
