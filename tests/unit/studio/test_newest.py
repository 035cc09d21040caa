"""Which run is looked into where nobody has chosen one."""

import json
import os
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch

pytest.importorskip("starlette", reason="needs the extra `serve`")

from ostinato.studio.newest import newest

LM = Path(__file__).parents[2] / "golden" / "trained" / "lm"


@pytest.fixture
def run(tmp_path):
    """Makes a run that is newer than those before."""
    made = []

    def make(name, *, advice=None, weights=None):
        folder = tmp_path / name
        shutil.copytree(LM, folder)
        if advice is not None:
            said = {"name": advice, "said": "loss 9", "meaning": "m", "remedy": "r", "anchor": advice}
            with (folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps({"step": 3, "epoch": 1, "tokens": 9, "advice": said, "seconds": 1.0}) + "\n")
        if weights is not None:
            (folder / "model.safetensors").write_bytes(weights)
        made.append(folder)
        for file in folder.iterdir():
            os.utime(file, (1000 * len(made), 1000 * len(made)))
        return tmp_path

    return make


def diverged():
    tensors = safetensors.torch.load_file(LM / "model.safetensors")
    one = next(iter(tensors))
    tensors[one] = tensors[one].clone()
    tensors[one].view(-1)[-1] = torch.nan
    return safetensors.torch.save(tensors)


def test_the_newest_that_went_well(run):
    run("first")
    assert newest(run("second")) == {"name": "second", "wrong": False}


@pytest.mark.parametrize(
    "wrong",
    [
        {"advice": "no-better-than-guessing"},
        {"advice": "not-finite"},
        {"advice": "learning-rate-too-high"},
        {"weights": diverged()},
        {"weights": b"no weights"},
    ],
    ids=str,
)
def test_one_that_went_wrong_is_passed_over_and_taken_where_there_is_no_other(run, wrong):
    folder = run("wrong", **wrong)
    assert newest(folder) == {"name": "wrong", "wrong": True}
    run("well")
    assert newest(run("wrong again", **wrong)) == {"name": "well", "wrong": False}


def test_what_can_be_lived_with_is_no_reason(run):
    run("first")
    assert newest(run("second", advice="overfitting")) == {"name": "second", "wrong": False}


def test_no_run_at_all(tmp_path):
    assert newest(tmp_path) == newest(tmp_path / "nowhere") == {"name": None, "wrong": False}
