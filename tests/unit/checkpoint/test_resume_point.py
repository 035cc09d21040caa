"""Where training stands, saved and taken back to the last bit."""

import copy

import pytest
import torch
from torch import nn

from ostinato.checkpoint import ResumePoint
from ostinato.checkpoint.resume_point import load_optimizer, model_tensors, optimizer_tensors
from ostinato.core.errors import RunFolderError

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
    assert point.position() == POSITION


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


def test_old_states_and_what_a_kill_left_go_with_the_next_save(tmp_path):
    point = ResumePoint(tmp_path)
    point.save(TENSORS, {"position": POSITION})
    (tmp_path / ".state-1.safetensors.99.tmp").touch()
    point.save(TENSORS, {"position": POSITION})
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_removed_stays(tmp_path):
    point = ResumePoint(tmp_path)
    (tmp_path / "notes").mkdir()
    point.save(TENSORS, {"position": POSITION})
    point.save(TENSORS, {"position": POSITION})
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("content", ["", "{}", '{"tensors": 3}', '{"tensors": "state.safetensors"}'])
def test_what_is_damaged_is_named(tmp_path, content):
    point = ResumePoint(tmp_path)
    (tmp_path / "latest.json").write_text(content)
    with pytest.raises(RunFolderError, match=r"latest.json: damaged, |state.safetensors: cannot be read: "):
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
