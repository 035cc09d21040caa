"""What a step does to the weights, against a loop written by hand over torch.nn."""

import dataclasses
import math
import time

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ostinato.layers import tied
from ostinato.losses import linear_cross_entropy, sequence_cross_entropy
from ostinato.tasks.lm.model import LanguageModel
from ostinato.training import Clock, Processes
from tests.support import metrics
from tests.unit.training.conftest import IDS, VALID, V


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(V, 4)
        self.recurrent = nn.LSTM(4, 6, 2)
        self.decoder = nn.Linear(6, V)

    def forward(self, ids, state=None):
        output, state = self.recurrent(self.embedding(ids), state)
        return self.decoder(output), state


def pieces(steps=10):
    """Two streams side by side; the first token of the first follows <eos>, that of the second the first's last."""
    targets = torch.tensor(IDS.reshape(2, 47).T.astype(int))
    inputs = torch.cat([torch.tensor([[0, int(targets[-1, 0])]]), targets[:-1]])
    return list(zip(inputs.split(steps), targets.split(steps), strict=True))


def by_hand(model, *, epochs, clip, cut=True, lr=0.5):
    """Truncated back-propagation through time as the textbooks have it; returns losses and gradient norms."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses, norms = [], []
    for _ in range(epochs):
        state = None
        for inputs, targets in pieces():
            logits, state = model(inputs, state)
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
            optimizer.zero_grad()
            loss.backward()
            norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), clip or math.inf)))
            optimizer.step()
            state = tuple(field.detach() for field in state)
            losses.append(loss.item())
    return losses, norms


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("clip", [0.0, 0.2, 0.3, 1000.0])
def test_two_epochs_by_hand(make, weights, clip, sparse):
    """Gradients, their clipping, the update, the carried state and its reset at the epoch's end, in one number each."""
    trainer = make(clip=clip, log_every=1, sparse=sparse)
    plain = Plain()
    plain.load_state_dict(trainer.job.model.state_dict())
    before = weights(plain)
    trainer.fit()
    losses, norms = by_hand(plain, epochs=2, clip=clip)
    torch.testing.assert_close(weights(trainer.job.model), weights(plain), rtol=1e-5, atol=1e-6)
    assert (weights(plain) - before).abs().max() > 0.01
    lines = [line for line in metrics(trainer.folder.path) if "loss" in line]
    assert [line["loss"] for line in lines] == pytest.approx(losses, rel=1e-5)
    assert [line["perplexity"] for line in lines] == pytest.approx([math.exp(loss) for loss in losses], rel=1e-4)
    assert [line["gradient_norm"] for line in lines] == pytest.approx(norms, rel=1e-4)
    assert [line["clipped"] for line in lines] == [float(0 < clip < norm) for norm in norms]
    if clip == 0.3:
        assert 0 < sum(line["clipped"] for line in lines) < len(lines)  # both happen


def test_no_gradient_flows_into_the_piece_before(make):
    """The second piece's gradient is that of its own steps alone, from a state that is a constant."""
    trainer = make(lr=1e-30, clip=0.0)  # the weights stay as they are
    plain = Plain()
    plain.load_state_dict(trainer.job.model.state_dict())
    trainer.model.train()
    for index in range(2):
        trainer.step(trainer.job.batches.piece(index))
    (first, _), (second, targets), *_ = pieces()
    _, state = plain(first)
    gradients = {}
    for name, given in (("cut", tuple(field.detach() for field in state)), ("through", state)):
        plain.zero_grad()
        loss = F.cross_entropy(plain(second, given)[0].flatten(0, 1), targets.flatten())
        loss.backward(retain_graph=True)
        gradients[name] = [p.grad.clone() for p in plain.parameters()]
    for (name, p), cut in zip(trainer.job.model.named_parameters(), gradients["cut"], strict=True):
        torch.testing.assert_close(p.grad, cut, rtol=1e-5, atol=1e-8, msg=name)
    apart = max(float((one - two).abs().max()) for one, two in zip(*gradients.values(), strict=True))
    assert apart > 1e-5  # so that the comparison above could have failed


def test_the_state_is_kept_between_pieces_and_forgotten_between_epochs(make):
    seen = []

    class Watched(LanguageModel):
        def forward(self, inputs, state=None):
            if self.training:
                seen.append(state)
            return super().forward(inputs, state)

    make(model=Watched(V, 4, 6)).fit()
    assert [state is None for state in seen] == [True, False, False, False, False] * 2
    assert not any(field.requires_grad for state in seen if state is not None for field in state)


def test_the_learning_rate_follows_the_schedule(make):
    trainer = make(schedule="cosine", warmup=0.2, lr=0.1, log_every=1)
    trainer.fit()
    found = [line["lr"] for line in metrics(trainer.folder.path) if "lr" in line]
    expected = [0.1 * max(step / 10 / 0.2, 0.01) for step in range(2)]
    expected += [0.1 * (0.01 + 0.99 * (1 + math.cos(math.pi * (step / 10 - 0.2) / 0.8)) / 2) for step in range(2, 10)]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("log_every", [1, 3, 4])
def test_lines_of_metrics_add_up(make, log_every):
    """Each line is the mean over the tokens since the last; steps, epochs and tokens count on."""
    seen = []

    def loss(output, batch):
        value = sequence_cross_entropy(output, batch)
        seen.append((value.item(), batch.tokens))
        return value

    trainer = make(loss=loss, log_every=log_every)
    trainer.fit()
    tokens = [20, 20, 20, 20, 14] * 2
    assert [count for _, count in seen] == tokens
    lines = [line for line in metrics(trainer.folder.path, with_times=True) if "loss" in line]
    assert [line["step"] for line in lines] == list(range(log_every, 11, log_every))
    for line in lines:
        since = slice(line["step"] - log_every, line["step"])
        mean = sum(value * count for value, count in seen[since]) / sum(tokens[since])
        assert line["loss"] == pytest.approx(mean, rel=1e-12)
        assert line["tokens"] == sum(tokens[: line["step"]])
        assert line["epoch"] == (line["step"] - 1) // 5 + 1
        assert line["tokens_per_second"] > 0
        assert line["seconds"] >= 0
    assert trainer.position.tokens == sum(tokens) == 188


def test_speed_counts_what_this_command_has_done(make, monkeypatch):
    """Of a line that an earlier command began, its tokens are in the loss but not in the speed."""
    trainer = make(log_every=4)
    trainer.model.train()
    for index in range(3):
        trainer.step(trainer.job.batches.piece(index))
    trainer.save()
    resumed = make(log_every=4)
    monkeypatch.setattr("ostinato.training.loop.time.monotonic", lambda: resumed.interval_began + 2)
    resumed.model.train()
    for index in range(3, 5):
        resumed.step(resumed.job.batches.piece(index))
    (line,) = [line for line in metrics(resumed.folder.path, with_times=True) if "loss" in line]
    assert line["tokens"] == 80
    assert line["tokens_per_second"] == 10


def test_several_processes_stop_by_what_the_first_one_keeps_back(make, monkeypatch):
    """Each has a time of its own for the last validation: who went by that would stop while others wait for it."""

    def agree(processes, *values, wishes=()):
        return *(values[0], 50.0, *values[2:])[: len(values)], *wishes

    monkeypatch.setattr(Processes, "agree", agree)
    trainer = make(clock=Clock(2.0), epochs=None)
    trainer.fit()
    assert trainer.position.step == 0


def test_by_default_twenty_lines_an_epoch(make):
    trainer = make(steps=1, epochs=1)
    trainer.fit()
    steps = [line["step"] for line in metrics(trainer.folder.path) if "loss" in line]
    assert steps == list(range(2, 48, 2))


@pytest.mark.parametrize(("valid_every", "expected"), [(0, [5, 10]), (3, [3, 6, 9, 10]), (5, [5, 10])])
def test_validations_come_when_they_should_and_measure_the_model(make, valid_every, expected):
    trainer = make(valid_every=valid_every, log_every=100)
    trainer.fit()
    lines = metrics(trainer.folder.path)
    assert [line["step"] for line in lines] == expected
    targets = torch.tensor(VALID.reshape(2, 20).T.astype(int))
    inputs = torch.cat([torch.tensor([[0, int(targets[-1, 0])]]), targets[:-1]])
    plain = Plain()
    plain.load_state_dict(trainer.job.model.state_dict())
    loss = F.cross_entropy(plain(inputs)[0].flatten(0, 1), targets.flatten()).item()
    assert lines[-1]["valid_loss"] == pytest.approx(loss, rel=1e-5)
    assert lines[-1]["valid_perplexity"] == pytest.approx(math.exp(loss), rel=1e-4)


def test_dropout_is_off_in_validation_and_on_again_afterwards(make):
    modes = []

    class Watched(LanguageModel):
        def forward(self, inputs, state=None):
            modes.append(self.training)
            return super().forward(inputs, state)

    make(model=Watched(V, 4, 6, dropout=0.5)).fit()
    assert modes == ([True] * 5 + [False] * 2) * 2


def test_the_average_is_what_is_saved_and_the_weights_train_on(make, weights):
    """Ten steps by hand, averaged by the recurrence; the training itself is the same with and without."""
    losses = iter((2.0, 1.0))  # the second validation is the better one, so the file holds the last average
    trainer = make(average=0.5, clip=0.0, validate=lambda model: next(losses))
    plain = Plain()
    plain.load_state_dict(trainer.job.model.state_dict())
    trainer.fit()
    mean, step = None, 0
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.5)
    for _ in range(2):
        state = None
        for inputs, targets in pieces():
            logits, state = plain(inputs, state)
            optimizer.zero_grad()
            F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
            optimizer.step()
            state, step = tuple(field.detach() for field in state), step + 1
            now = weights(plain)
            mean = now if mean is None else mean + min(1.0, 1 / (0.5 * step)) * (now - mean)
    assert torch.allclose(weights(trainer.job.model), weights(plain), atol=1e-5)
    trainer.folder.load_weights(trainer.job.model)
    assert torch.allclose(weights(trainer.job.model), mean, atol=1e-5)
    assert not torch.allclose(weights(trainer.job.model), weights(plain), atol=1e-2)


def test_a_penalty_moves_the_weights_and_no_figure(make, weights):
    """Two epochs by hand with 3 * mean(h^2) added to what is differentiated."""
    trainer = make(clip=0.0, log_every=1, epochs=1, penalty=lambda output: 3 * output.hidden.square().mean())
    plain = Plain()
    plain.load_state_dict(trainer.job.model.state_dict())
    trainer.fit()
    optimizer, state, losses = torch.optim.SGD(plain.parameters(), lr=0.5), None, []
    for inputs, targets in pieces():
        hidden, state = plain.recurrent(plain.embedding(inputs), state)
        loss = F.cross_entropy(plain.decoder(hidden).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        (loss + 3 * (hidden**2).mean()).backward()
        optimizer.step()
        state = tuple(field.detach() for field in state)
        losses.append(loss.item())
    torch.testing.assert_close(weights(trainer.job.model), weights(plain), rtol=1e-5, atol=1e-6)
    lines = [line["loss"] for line in metrics(trainer.folder.path) if "loss" in line]
    assert lines == pytest.approx(losses, rel=1e-5)


def test_a_longer_piece_is_a_longer_step(make, weights):
    trainer = make(clip=0.0, steps=20, random=3)
    batch = trainer.job.batches.piece(0)
    assert batch.lr_factor == len(batch.targets) / 20 != 1
    plain = Plain()
    plain.load_state_dict(trainer.job.model.state_dict())
    trainer.step(batch)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.5 * len(batch.targets) / 20)
    F.cross_entropy(plain(batch.inputs)[0].flatten(0, 1), batch.targets.flatten()).backward()
    optimizer.step()
    torch.testing.assert_close(weights(trainer.job.model), weights(plain), rtol=1e-5, atol=1e-6)


def test_tied_weights_have_one_gradient_in_the_loop_too(make, monkeypatch):
    """Nothing that stands between model and loss here holds the output layer's gradient, which would be copied then."""
    monkeypatch.setitem(linear_cross_entropy.__globals__, "_FEW_SCORES", 0)  # a few are left to torch
    found, whole = [], tied._is_whole  # asked last of all, of a gradient that nobody else holds
    monkeypatch.setattr(tied, "_is_whole", lambda gradient: found.append(whole(gradient)) or found[-1])
    make(model=LanguageModel(V, 6, 6, tied=True), epochs=1).fit()
    assert found == [True] * 5


def test_what_is_begun_anew_has_no_state_from_before(make, monkeypatch):
    trainer, seen = make(), []
    forward = type(trainer.job.model).forward
    monkeypatch.setattr(
        type(trainer.job.model),
        "forward",
        lambda model, *given, state=None, **more: seen.append(state) or forward(model, *given, state=state, **more),
    )
    for index, anew in enumerate([True, False, True]):
        trainer.step(dataclasses.replace(trainer.job.batches.piece(index), anew=anew))
    assert [state is None for state in seen] == [True, False, True]


def test_waiting_is_a_share_of_each_ones_own_time(make, monkeypatch):
    """While the first saves, its time does not count, and the others wait: beside its own that would be above 1."""
    trainer, told, now = make(), [], time.monotonic()
    trainer.position.interval.add(1.0, 4, 1.0, False)
    trainer.interval_began, trainer.waiting.seconds = now - 10, 5.0
    # the other: 30 seconds of waiting in 40
    monkeypatch.setattr(
        Processes, "total", lambda _, loss, tokens, before, waited: (loss, tokens, before, waited + 30 / 40)
    )
    trainer.processes = trainer.processes._replace(size=2)
    monkeypatch.setattr(trainer, "tell", told.append)
    trainer.end_interval(0.1)
    assert told[0].waiting == pytest.approx((5 / 10 + 30 / 40) / 2, rel=0.01)
