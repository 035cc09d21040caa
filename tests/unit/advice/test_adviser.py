"""When the model is looked at, and what comes of it: told to the others, once."""

import pytest
import torch
from torch import nn

from ostinato.advice import Adviser, words
from ostinato.advice.looking import LayerLook, Look
from ostinato.config.training import TrainingOptions
from ostinato.core.batch import Batch
from ostinato.inspection.watching import Place
from ostinato.training import Job
from ostinato.training.events import Advised, Begun, Ended, Validated, Where


class Pieces:
    carried = False

    def __len__(self):
        return 10

    def piece(self, index, epoch=0):
        return Batch(torch.ones(4, 2), torch.zeros(4, 2))


def at(step, seconds):
    return Where(step, 1, step, step / 1000, seconds)


def looked(still):
    return Look([LayerLook(Place("", 0, False), "rnn", 8, still, 0, None)], 10)


@pytest.fixture
def listen(tmp_path, monkeypatch):
    """Plays validations at these steps, so many seconds after the beginning; gives what was told, and the looks made.
    `found` are what the looks find."""

    def played(steps, *, found=(), seconds=1e6, budget=0.01):
        looks, left = [], iter(found)

        def look(model, batch, loss, step):
            looks.append(step)
            return next(left, looked(0))

        monkeypatch.setattr("ostinato.advice.adviser.look", look)
        monkeypatch.setattr("ostinato.advice.adviser.BUDGET", budget)
        heard = []
        job = Job(nn.Linear(2, 2), lambda output, batch: (output - batch.targets).square().mean(), Pieces(), float)
        adviser = Adviser([heard.append], job, TrainingOptions())
        adviser(Begun(str(tmp_path), at(0, 0.0), "", 100, "examples", "validation"))
        for step in steps:
            adviser(Validated(at(step, seconds), {"loss": 1.0}, True, True))
        adviser(Ended(at(steps[-1], seconds), "finished"))
        return heard, looks

    return played


def test_three_looks_as_training_goes_on(listen):
    heard, looks = listen(range(100, 1001, 100))
    assert looks == [200, 500, 900]
    assert not [event for event in heard if isinstance(event, Advised)]
    assert isinstance(heard[0], Begun)
    assert isinstance(heard[-1], Ended)


def test_no_look_takes_more_than_its_share_of_the_time(listen):
    assert listen(range(100, 1001, 100), seconds=0.0)[1] == []
    assert listen(range(100, 1001, 100), budget=0.0)[1] == []


def test_where_the_rate_is_too_high_no_other_reason_is_looked_for(listen, monkeypatch):
    def told(*names):
        rules = [lambda course, *, ended, name=name: words.advice(name, "seen", lr=1, lower="") for name in names]
        monkeypatch.setattr("ostinato.advice.adviser.RULES", rules)
        return {event.advice.name for event in listen([500])[0] if isinstance(event, Advised)}

    assert told(words.GUESSING) == {words.GUESSING}
    assert told(words.TOO_HIGH, words.GUESSING) == {words.TOO_HIGH}


def test_two_looks_must_agree_and_each_thing_is_said_once(listen):
    heard, _ = listen(range(100, 1001, 100), found=[looked(6), looked(0), looked(6)])
    assert not [event for event in heard if isinstance(event, Advised)]
    heard, _ = listen(range(100, 1001, 100), found=[looked(6), looked(6), looked(7)])
    told = [(event.advice.name, event.still, event.at.step) for event in heard if isinstance(event, Advised)]
    assert told == [(words.DEAD, False, 500), (words.DEAD, True, 1000)]
    assert isinstance(heard[-1], Ended)  # nothing comes after it
    heard, _ = listen(range(100, 1001, 100), found=[looked(6), looked(6), looked(0)])
    assert [event.still for event in heard if isinstance(event, Advised)] == [False]  # no longer so at the end
