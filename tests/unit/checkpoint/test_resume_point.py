"""Where training stands, saved and taken back to the last bit."""

import copy
import json

import pytest
import torch
from torch import nn

from ostinato.checkpoint import ResumePoint
from ostinato.checkpoint.position import Position
from ostinato.checkpoint.resume_point import load_optimizer, model_tensors, optimizer_tensors
from ostinato.core.errors import RunFolderError
from tests.support import contents

TENSORS = {"model.w": torch.randn(3), "random": torch.get_rng_state(), "step": torch.tensor(3.0)}
POSITION = {"epoch": 1, "step": 7, "tokens": 70, "best": 0.1 + 0.2, "finished": False}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_there_and_back(tmp_path):
    point = ResumePoint(tmp_path / "checkpoint")
    assert not point.exists()
    point.save(TENSORS, {"position": POSITION, "schedule": {}})
    tensors, values = ResumePoint(tmp_path / "checkpoint").load()
    assert same(tensors, TENSORS)
    assert values == {"position": POSITION, "schedule": {}}
    assert point.position() == Position(**POSITION)


def test_a_kill_at_any_moment_leaves_the_old_or_the_new(tmp_path, killed_at):
    point = ResumePoint(tmp_path / "checkpoint")
    for number in range(1, 20):
        point.save(TENSORS, {"position": POSITION})
        new = {"w": torch.full((4,), float(number))}
        killed = killed_at(lambda new=new: point.save(new, {"position": {"epoch": 2}}), number)
        tensors, values = point.load()
        if values["position"] == POSITION:
            assert same(tensors, TENSORS)
            assert killed
        else:
            assert same(tensors, new)
        if not killed:
            break
    assert number > 6


def test_old_states_go_with_the_next_save_and_files_of_others_stay(tmp_path):
    point = ResumePoint(tmp_path)
    point.save(TENSORS, {"position": POSITION})
    others = {"thesis.tex", "state-1.safetensors", "state-0123456789.safetensors", "latest.json.bak"}
    for name in others:
        (tmp_path / name).write_text("mine")
    (tmp_path / "notes").mkdir()
    point.save(TENSORS, {"position": POSITION})
    state = json.loads((tmp_path / "latest.json").read_text())["tensors"]
    assert {item.name for item in tmp_path.iterdir()} == {"latest.json", state, "notes"} | others
    point.clear()
    assert {item.name for item in tmp_path.iterdir()} == {"notes"} | others
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_linked_folder_is_neither_filled_nor_emptied(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    ResumePoint(elsewhere).save(TENSORS, {"position": POSITION})
    before = contents(elsewhere)
    (tmp_path / "checkpoint").symlink_to(elsewhere)
    point = ResumePoint(tmp_path / "checkpoint")
    for attempt in (point.clear, point.trim, lambda: point.save(TENSORS, {"position": POSITION})):
        with pytest.raises(RunFolderError, match="checkpoint: is a link; expected a folder of the run's own"):
            attempt()
    assert contents(elsewhere) == before


@pytest.mark.parametrize("name", ["../../secret.safetensors", "/secret.safetensors", "state-12345678.safetensors/../x"])
def test_tensors_elsewhere_are_not_read(tmp_path, name):
    (tmp_path / "latest.json").write_text(json.dumps({"tensors": name, "position": POSITION}))
    with pytest.raises(RunFolderError, match=r"latest.json: damaged, it names no tensor file of this folder"):
        ResumePoint(tmp_path).load()


def test_trimmed_it_says_where_training_ended_but_cannot_go_on(tmp_path):
    point = ResumePoint(tmp_path)
    point.save(TENSORS, {"position": POSITION})
    size = point.tensor_bytes()
    assert size > 100
    assert (point.trim(), point.trim(), point.tensor_bytes()) == (size, 0, 0)
    assert [item.name for item in tmp_path.iterdir()] == ["latest.json"]
    assert point.position() == Position(**POSITION)
    with pytest.raises(RunFolderError, match="was trimmed, the optimiser's state that training would"):
        point.load()


@pytest.mark.parametrize("content", ["", "{}", '{"tensors": 3}', '{"tensors": "state-00000000.safetensors"}'])
def test_what_is_damaged_is_named(tmp_path, content):
    point = ResumePoint(tmp_path)
    (tmp_path / "latest.json").write_text(content)
    with pytest.raises(RunFolderError, match=r"latest.json: damaged, |state-0+.safetensors: cannot be read: "):
        point.load()
    with pytest.raises(RunFolderError, match=r"latest.json: damaged, "):
        point.position()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.decoder = nn.Linear(3, 5)
        self.decoder.weight = self.embedding.weight


def test_tied_weights_are_there_once_and_stay_tied():
    model, other = Tied(), Tied()
    tensors = model_tensors(model)
    assert sorted(tensors) == ["decoder.bias", "embedding.weight"]
    other.load_state_dict(tensors, strict=False)
    assert other.decoder.weight is other.embedding.weight
    assert torch.equal(other.decoder.weight, model.embedding.weight)


def test_equal_weights_that_are_not_tied_are_both_there():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].load_state_dict(model[0].state_dict())
    assert len(model_tensors(model)) == 4


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.Adam(p, lr=0.1),
        lambda p: torch.optim.AdamW(p, lr=0.1, amsgrad=True),
    ],
    ids=["sgd", "momentum", "adam", "adamw"],
)
def test_an_optimiser_goes_on_to_the_last_bit(make, tmp_path):
    def step(model, optimizer, seed):
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()

    model = nn.Linear(3, 2)
    optimizer = make(model.parameters())
    for seed in range(3):
        step(model, optimizer, seed)
    ResumePoint(tmp_path).save(optimizer_tensors(optimizer), {"position": POSITION})
    other = copy.deepcopy(model)
    restored = make(other.parameters())
    load_optimizer(restored, ResumePoint(tmp_path).load()[0])
    for seed in range(3, 6):
        step(model, optimizer, seed)
        step(other, restored, seed)
    assert same(model.state_dict(), other.state_dict())
