"""Whoever observes a training hears all that happens, in order, as plain numbers."""

import msgspec
import pytest

from ostinato.core.errors import TrainingError
from ostinato.training import Processes, Trainer
from ostinato.training.events import Begun, Saved, Trained, Validated
from tests.support import metrics


def test_everything_is_told_in_order(make):
    heard = []
    trainer = make(log_every=2, epochs=2)
    trainer.observers += (heard.append,)
    trainer.fit()
    told = [(type(event), event.at.step) for event in heard if isinstance(event, Trained | Validated)]
    first = [(Trained, 2), (Trained, 4), (Validated, 5), (Trained, 6), (Trained, 8), (Trained, 10), (Validated, 10)]
    assert told == first  # two epochs of five steps
    assert isinstance(heard[0], Begun)
    assert (heard[-1].how, heard[-1].at.epoch, heard[-1].at.progress) == ("finished", 2, 1.0)
    saved = [event.at.step for event in heard if isinstance(event, Saved)]
    assert (saved[0], saved[-1]) == (0, 10)
    lines = metrics(trainer.folder.path)
    for kind, name in ((Trained, "loss"), (Validated, "valid_loss")):
        figures = [event.figures["loss"] for event in heard if isinstance(event, kind)]
        assert [line[name] for line in lines if name in line] == figures
    for event in heard:
        assert msgspec.json.decode(msgspec.json.encode(event), type=type(event)) == event


def test_the_end_is_told_however_it_comes(make):
    heard = []
    trainer = make(validate=lambda model: float("nan"))
    trainer.observers += (heard.append,)
    with pytest.raises(TrainingError):
        trainer.fit()
    assert heard[-1].how == "failed"

    def stop(event):
        if isinstance(event, Trained):
            raise KeyboardInterrupt

    trainer = make("other", log_every=1)
    trainer.observers += (stop, heard.append)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit()
    assert (heard[-1].how, heard[-1].at.step) == ("interrupted", 1)


def test_a_process_that_is_not_the_first_tells_nobody(make):
    mine = make()
    Trainer(mine.job, mine.folder, mine.options, mine.clock, [pytest.fail], Processes(rank=1)).begin()
