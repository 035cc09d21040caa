"""Runs whose matrices are of 8 bits: written, and read by every command."""

from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.core.errors import ConfigError, DataError

TEXT = "the cat sat on the mat and the dog sat on the log\n" * 40


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small language model, its output layer large enough to be of 8 bits; beside it the text."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(TEXT + "".join(f"w{number} " for number in range(1100)))
    options = {"hidden": 64, "embed": 16, "batch": 4, "steps": 10, "epochs": 2, "level": "word"}
    ostinato.train("lm", folder / "text.txt", out=folder / "lm", **options)
    return folder / "lm"


def test_the_folder_is_smaller_and_answers_as_the_run_does(run, tmp_path, cli):
    said = cli("export", run, "--to", "int8", "--out", tmp_path / "small")
    assert said.status == 0
    small = tmp_path / "small" / "model.safetensors"
    assert small.stat().st_size < 0.4 * (run / "model.safetensors").stat().st_size
    text = str(run.parent / "text.txt")
    exact, loaded = (ostinato.load(run, **given).evaluate(text) for given in ({}, {"weights": "int8"}))
    there = ostinato.load(tmp_path / "small").evaluate(text)
    assert 0 < abs(loaded["loss"] - exact["loss"]) < 0.01
    assert abs(there["loss"] - loaded["loss"]) < 1e-4  # read and rounded again it is the same but for the embedding
    for command in (["evaluate", tmp_path / "small", text], ["generate", tmp_path / "small", "--length", "5"]):
        assert cli(*command).status == 0
    assert cli("export", tmp_path / "small", "--to", "int8", "--out", tmp_path / "again").status == 0
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == small.read_bytes()


def test_a_command_writes_by_weights_of_8_bits(run, cli):
    for weights in ("int8", "float32"):
        text = "".join(ostinato.load(run, weights=weights).generate("", 40, seed=3))
        assert cli("generate", run, "--length", "40", "--seed", "3", "--weights", weights).out == text + "\n"
    assert cli("generate", run, "--weights", "int4").status == 2


def test_a_text_is_written_by_steps_as_it_is_read(run):
    small = ostinato.load(run, weights="int8")
    assert len("".join(small.generate("the cat", length=20, greedy=True))) > 20


def test_what_is_there_stays(run, tmp_path):
    before = (run / "model.safetensors").read_bytes()
    with pytest.raises(ConfigError, match="weights are not of 8 bits"):
        ostinato.export(run, to="int8", out=run, overwrite=True)
    with pytest.raises(DataError, match="holds files already"):
        ostinato.export(run, to="int8", out=run)
    assert (run / "model.safetensors").read_bytes() == before
    with pytest.raises(ConfigError, match="int4"):
        ostinato.load(run, weights="int4")


def test_a_cell_without_a_kernel_is_refused(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    options = {"hidden": 8, "embed": 8, "batch": 4, "steps": 10, "epochs": 1, "level": "char"}
    ostinato.train("lm", tmp_path / "text.txt", out=tmp_path / "lm", cell="lstm_layer_norm", **options)
    with pytest.raises(ConfigError, match=r"lstm_layer_norm: weights of 8 bits only for .*; --to c --weights int8"):
        ostinato.export(tmp_path / "lm", to="int8", out=tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_goes_on_to_other_formats_as_the_numbers_it_holds(run, tmp_path):
    ostinato.export(run, to="int8", out=tmp_path / "eight")
    said = ostinato.export(tmp_path / "eight", to="numpy", out=tmp_path / "model.npz")
    assert said.difference < 1e-5
    weights = ostinato.load(tmp_path / "eight", weights="float32").model.state_dict()
    with np.load(tmp_path / "model.npz") as written:
        assert any(np.array_equal(written[name], weights["recurrent.weight_hh_l0"]) for name in written.files)
