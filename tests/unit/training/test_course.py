"""When training ends, which weights it leaves, and what happens when the loss is no number."""

import itertools
import math
import os
import signal
import time

import pytest
import torch
from safetensors.torch import load_file

from ostinato.core.errors import TrainingError
from ostinato.losses import sequence_cross_entropy
from ostinato.training.clock import Clock, Reserve
from tests.support import contents, metrics


def scripted(losses):
    """Validation that gives one figure after the other, whatever the model."""
    left = iter(losses)
    return lambda model: next(left)


def stored(folder):
    return {name: tensor.clone() for name, tensor in load_file(folder.weights).items()}


def current(trainer):
    return {name: tensor.clone() for name, tensor in trainer.job.model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_best_weights_stay(make):
    seen = []
    losses = iter([3.0, 2.0, 2.0, 1.9, 2.5])

    def validate(model):
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return next(losses)

    trainer = make(epochs=5, validate=validate)
    position = trainer.fit()
    assert (position.best, position.best_step, position.since_best) == (1.9, 20, 1)
    assert same(stored(trainer.folder), seen[3])
    assert not same(stored(trainer.folder), seen[4])
    lines = [line["best"] for line in metrics(trainer.folder.path) if "best" in line]
    assert lines == [True, True, False, True, False]


@pytest.mark.parametrize(("patience", "ends"), [(1, 3), (2, 6), (3, 7), (0, 8)])
def test_early_stopping(make, patience, ends):
    losses = [3.0, 2.0, 2.1, 1.9, 2.0, 1.95, 1.91, 1.92]
    position = make(epochs=8, patience=patience, validate=scripted(losses)).fit()
    assert (position.epoch, position.finished) == (ends, True)
    assert position.best == min(losses[:ends])


def test_the_rate_is_divided_where_validation_does_not_improve(make):
    losses = [3.0, 2.0, 2.1, 1.9, 1.9, 1.8]
    trainer = make(epochs=6, schedule="plateau", lr=0.8, lr_divide=4, log_every=5, validate=scripted(losses))
    trainer.fit()
    rates = [line["lr"] for line in metrics(trainer.folder.path) if "lr" in line]
    assert rates == pytest.approx([0.8, 0.8, 0.8, 0.2, 0.2, 0.05], rel=1e-12)


class Ticking:
    """A clock that moves on by so many seconds whenever it is read that those of the machine do not count."""

    def __init__(self, limit=None):
        self.limit, self.now = limit, 0.0

    def elapsed(self):
        self.now += 1000.0
        return self.now


def test_the_time_limit_ends_training_with_a_validation(make):
    trainer = make(epochs=None, time_limit=3e4, clock=Ticking(3e4), schedule="cosine", warmup=0, log_every=1)
    position = trainer.fit()
    assert position.finished
    assert position.validated_step == position.step > 5
    assert trainer.clock.now <= 3.2e4
    rates = [line["lr"] for line in metrics(trainer.folder.path) if "lr" in line]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.1 * rates[0]  # the schedule came to its end with the time
    assert metrics(trainer.folder.path)[-1]["step"] == position.step


def test_a_step_that_is_held_up_does_not_end_training(make):
    """The second step, by which alone the time of a validation would be guessed."""
    calls = itertools.count(1)

    def held_up(output, batch):
        time.sleep(0.6 if next(calls) == 2 else 0.001)
        return sequence_cross_entropy(output, batch)

    trainer = make(epochs=None, time_limit=2.0, clock=Clock(2.0), loss=held_up, valid_every=10_000)
    position = trainer.fit()
    assert position.step > 20
    assert trainer.clock.elapsed() > 1.0


def test_what_is_kept_for_the_last_validation():
    reserve = Reserve(100.0)
    assert reserve.seconds(1000) == 0.5
    reserve.stepped(7.0, 10)  # the first one is slow
    assert reserve.seconds(1000) == 0.5
    for seconds in (5.0, 0.1, 0.1):
        reserve.stepped(seconds, 10)
    assert reserve.seconds(1000) == pytest.approx(0.6 * 10 + 0.5)
    assert reserve.seconds(1e6) == 50.0
    assert Reserve(None).seconds(1e6) == 0.5
    reserve.validated(3.0)
    reserve.stepped(1.0, 10)
    assert reserve.seconds(1e6) == pytest.approx(4.1)
    reserve.validated(300.0)
    assert reserve.seconds(1) == 50.0
    assert Reserve(-3.0).seconds(1) == 0.0


def validations(trainer):
    return [line["step"] for line in metrics(trainer.folder.path) if "valid_loss" in line]


def test_validations_by_the_clock(make):
    trainer = make(epochs=None, time_limit=1e5, clock=Ticking(1e5), valid_every=10_000, valid_times=5)
    position = trainer.fit()
    steps = validations(trainer)
    assert len(steps) in (4, 5)
    assert steps[-1] == position.step
    gaps = [after - before for before, after in itertools.pairwise([0, *steps[:-1]])]
    assert max(gaps) - min(gaps) <= 2
    without = make("without", epochs=None, time_limit=1e5, clock=Ticking(1e5), valid_every=10_000)
    last = without.fit().step
    assert validations(without) == [last]


def test_validations_by_the_clock_take_a_tenth_of_the_time_at_most(make, monkeypatch):
    monkeypatch.setattr(Reserve, "cost", lambda reserve, tokens: 3e3)
    trainer = make(epochs=None, time_limit=1e5, clock=Ticking(1e5), valid_every=10_000, valid_times=50)
    trainer.fit()
    assert len(validations(trainer)) in (3, 4)


def test_validations_by_the_clock_are_not_what_patience_and_schedule_count(make):
    losses = (2.0 + 0.1 * number for number in itertools.count())
    options = {"valid_every": 10_000, "valid_times": 5, "patience": 1, "schedule": "plateau", "log_every": 1}
    trainer = make(epochs=None, time_limit=1e5, clock=Ticking(1e5), validate=scripted(losses), **options)
    position = trainer.fit()
    assert len(validations(trainer)) in (4, 5)
    assert len({line["lr"] for line in metrics(trainer.folder.path) if "lr" in line}) == 1
    assert position.best == 2.0
    assert position.best_step == validations(trainer)[0]


def test_epochs_end_training_before_the_time_does(make):
    position = make(epochs=1, time_limit=1e6, clock=Ticking(1e6)).fit()
    assert (position.epoch, position.step) == (1, 5)


def poisoned(at, value):
    """The loss, spoilt in the given call."""
    calls = itertools.count(1)
    return lambda output, batch: sequence_cross_entropy(output, batch) * (value if next(calls) == at else 1.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_weights_are_spoilt(make, value):
    trainer = make(loss=poisoned(8, value), save_every=0)
    with pytest.raises(
        TrainingError, match=r"epoch 2, step 8: expected a finite loss, got loss (nan|inf) with gradient"
    ):
        trainer.fit()
    assert all(tensor.isfinite().all() for tensor in current(trainer).values())
    assert trainer.position.step == 7
    other = make("other", epochs=1)
    other.fit()
    assert same(stored(trainer.folder), stored(other.folder))  # the best ones, of the first epoch


def test_without_a_validation_yet_the_last_checkpoints_weights_stay(make):
    trainer = make(loss=poisoned(4, math.nan), save_every=0)
    with pytest.raises(
        TrainingError, match=r"epoch 1, step 4: .*learning rate 0.5. The last good weights are in .*model"
    ):
        trainer.fit()
    other = make("other", epochs=1)
    other.model.train()
    for index in range(3):
        other.step(other.job.batches.piece(index))
    assert same(stored(trainer.folder), current(other))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_validation_that_is_not_finite_stops_too(make, value):
    trainer = make(validate=scripted([2.0, value]))
    with pytest.raises(TrainingError, match=r"the validation after step 10: expected a finite loss, got (nan|inf)"):
        trainer.fit()
    other = make("other", epochs=1)
    other.fit()
    assert same(stored(trainer.folder), stored(other.folder))
    assert trainer.position.best == 2.0


def test_a_first_validation_that_is_not_finite_is_not_the_best(make):
    trainer = make(validate=scripted([math.nan]))
    with pytest.raises(TrainingError, match="after step 5"):
        trainer.fit()
    assert all(tensor.isfinite().all() for tensor in stored(trainer.folder).values())
    assert trainer.folder.resume_point.position().best is None


def test_weights_that_are_not_finite_never_replace_a_checkpoint(make):
    trainer = make(lr=1e30, clip=0, save_every=0)
    step = trainer.optimizer.step

    def spoil(*args, **keywords):
        step(*args, **keywords)
        if trainer.position.step == 2:
            with torch.no_grad():
                trainer.job.model.decoder.bias[0] = torch.inf

    trainer.optimizer.step = spoil
    with pytest.raises(TrainingError, match="step 3: expected finite weights"):
        trainer.fit()
    tensors, values = trainer.folder.resume_point.load()
    assert all(tensor.isfinite().all() for name, tensor in tensors.items() if name.startswith("model."))
    assert values["position"]["step"] == 2
    assert all(tensor.isfinite().all() for tensor in stored(trainer.folder).values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_saves_after_the_step_and_the_handlers_come_back(make, number):
    before = signal.getsignal(number)
    calls = itertools.count(1)

    def loss(output, batch):
        if next(calls) == 3:
            os.kill(os.getpid(), number)
        return sequence_cross_entropy(output, batch)

    with pytest.raises(KeyboardInterrupt):
        make(loss=loss).fit()
    assert signal.getsignal(number) is before
    trainer = make()
    assert trainer.position.step == 3
    trainer.fit()
    other = make("other")
    other.fit()
    assert trainer.folder.weights.read_bytes() == other.folder.weights.read_bytes()


def test_a_second_interruption_stops_at_once(make):
    def loss(output, batch):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("went on")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            make(loss=loss).fit()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_run_made_longer_is_the_long_run(make):
    """With a constant rate, 2 epochs and then 2 more are 4, to the last bit; nothing happens where none are added."""
    make(epochs=2, noise={"dropout": 0.3}).fit()
    longer = make(epochs=4, noise={"dropout": 0.3})
    longer.fit()
    other = make("other", epochs=4, noise={"dropout": 0.3})
    other.fit()
    assert same(current(longer), current(other))
    assert longer.folder.weights.read_bytes() == other.folder.weights.read_bytes()
    assert metrics(longer.folder.path) == metrics(other.folder.path)
    weights = contents(longer.folder.path)["model.safetensors"]
    assert make(epochs=4, noise={"dropout": 0.3}).fit().step == 20
    assert contents(longer.folder.path)["model.safetensors"] == weights


def test_nothing_gathers_on_the_parameters(make):
    """The model returns its output layer's, for the loss: what hooks a call's results would stay on them."""
    trainer = make(epochs=3)
    trainer.fit()
    assert trainer.position.step > 10
    assert not any(parameter._backward_hooks for parameter in trainer.job.model.parameters())
