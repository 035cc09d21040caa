"""`ostinato.doctor` against small modules: each ill in one known way, or well."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import ostinato

T, N, D, H, C, V = 12, 5, 3, 8, 4, 11
LENGTHS = torch.tensor([12, 7, 4, 9, 2])


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def names(findings):
    return [one.name for one in findings]


class Read(nn.Module):
    """A layer, and what `take` makes of its result, through a linear layer."""

    def __init__(self, layer, take, width):
        super().__init__()
        self.rnn, self.take, self.fc = layer, take, nn.Linear(width, C)

    def forward(self, x, lengths=None):
        return self.fc(self.take(*self.rnn(x), lengths))


def series(first=False, steps=T, sequences=N):
    x = torch.randn(steps, sequences, D).cumsum(0) / 4
    return x.transpose(0, 1) if first else x


def padded(first=False):
    x = series()
    x[torch.arange(T)[:, None] >= LENGTHS] = 0
    return x.transpose(0, 1) if first else x


def classes(*shape):
    return torch.randint(C, shape)


CE = nn.CrossEntropyLoss()

# ---------------------------------------------------------------- ill


class Keeps(nn.Module):
    """Carries its state along by itself."""

    def __init__(self, detach=False, list_of_states=False):
        super().__init__()
        self.rnn, self.fc, self.hidden, self.detach = nn.LSTM(D, H), nn.Linear(H, C), None, detach
        self.passed = []

    def forward(self, x):
        output, self.hidden = self.rnn(x, self.hidden)
        if self.detach:
            self.hidden = tuple(field.detach() for field in self.hidden)
        self.passed.append(len(x))
        return self.fc(output)


class Passes(nn.Module):
    """Takes its state and gives it back."""

    def __init__(self, layer=None):
        super().__init__()
        self.rnn, self.fc = layer or nn.GRU(D, H), nn.Linear(H, C)

    def forward(self, x, state=None):
        output, state = self.rnn(x, state)
        return self.fc(output), state


class Softmaxed(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.GRU(D, H), nn.Linear(H, C)

    def forward(self, x):
        return self.fc(self.rnn(x)[1][-1]).softmax(-1)


class Sigmoided(Softmaxed):
    def forward(self, x):
        return self.fc(self.rnn(x)[1][-1]).sigmoid()


class Unused(Softmaxed):
    def __init__(self):
        super().__init__()
        self.forgotten = nn.Linear(H, H)

    def forward(self, x):
        return self.fc(self.rnn(x)[1][-1])


class CutOff(Softmaxed):
    def forward(self, x):
        return self.fc(self.rnn(x)[1][-1].detach())


class Embeds(nn.Module):
    def __init__(self, layer, take, width=H, padding_idx=0):
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(V, D, padding_idx=padding_idx), layer
        self.take, self.fc = take, nn.Linear(width, C)

    def forward(self, ids):
        return self.fc(self.take(*self.rnn(self.embedding(ids))))


def padded_ids(first=True):
    ids = torch.randint(1, V, (N, T))
    ids[torch.arange(T)[None] >= LENGTHS[:, None]] = 0
    return ids if first else ids.T.contiguous()


def packed(layer, take):
    class Packs(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = layer, nn.Linear(H * (2 if layer.bidirectional else 1), C)

        def forward(self, x, lengths):
            first = layer.batch_first
            run, state = self.rnn(pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False))
            output, _ = pad_packed_sequence(run, batch_first=first)
            return self.fc(take(output, state, lengths))

    return Packs()


def scaled(module, by):
    for name, parameter in module.named_parameters():
        if "weight" in name:
            parameter.data *= by
    return module


def dying():
    layer = nn.RNN(D, H, nonlinearity="relu")
    nn.init.constant_(layer.bias_ih_l0, -50.0)
    return layer


def exploding():
    layer = nn.RNN(D, H, nonlinearity="relu")
    nn.init.eye_(layer.weight_hh_l0)
    layer.weight_hh_l0.data *= 3
    nn.init.constant_(layer.bias_ih_l0, 1.0)
    return layer


def last(output, state, lengths):
    return output[-1]


def last_first(output, state, lengths):
    return output[:, -1]


GRU_FIRST = {"batch_first": True}
ILL = {
    "kept": ("state-not-detached", lambda: (Keeps(), series(), {})),
    "passed": ("state-not-detached", lambda: (m := Passes(), (series(), m(series())[1]), {})),
    "passed LSTM": ("state-not-detached", lambda: (m := Passes(nn.LSTM(D, H)), (series(), m(series())[1]), {})),
    "lengths of the other": (
        "batch-and-time-mixed-up",
        lambda: (Read(nn.GRU(D, H), lambda o, h, _: o.mean(1), H), series(True), {"lengths": LENGTHS}),
    ),
    "last sequence, batch first": (
        "batch-and-time-mixed-up",
        lambda: (Read(nn.GRU(D, H, batch_first=True), last, H), series(True), {}),
    ),
    "last sequence, time first": ("batch-and-time-mixed-up", lambda: (Read(nn.GRU(D, H), last_first, H), series(), {})),
    "time-first layer, all batch first": (
        "batch-and-time-mixed-up",
        lambda: (Read(nn.LSTM(D, H), last_first, H), series(True), {}),
    ),
    "padding along the batch": (
        "batch-and-time-mixed-up",
        lambda: (Embeds(nn.GRU(D, H), lambda o, h: o), padded_ids(), {}),
    ),
    "smooth along the batch": (
        "batch-and-time-mixed-up",
        lambda: (Read(nn.GRU(D, H), lambda o, h, _: o, H), series(True, 60, 40), {}),
    ),
    "packed, last step": (
        "last-step-of-padded",
        lambda: (packed(nn.LSTM(D, H, batch_first=True), last_first), padded(True), {"lengths": LENGTHS}),
    ),
    "packed, last step, time first": (
        "last-step-of-padded",
        lambda: (packed(nn.GRU(D, H), lambda o, h, n: o[-1, :, :]), padded(), {"lengths": LENGTHS}),
    ),
    "padded, last step": (
        "last-step-of-padded",
        lambda: (
            Read(nn.GRU(D, H), lambda o, h, _: torch.dropout(o, 0.1, True)[-1], H),
            padded(),
            {"lengths": LENGTHS},
        ),
    ),
    "padded, final state": (
        "last-step-of-padded",
        lambda: (Read(nn.LSTM(D, H), lambda o, s, _: s[0][-1], H), padded(), {"lengths": LENGTHS}),
    ),
    "padded ids, last step": (
        "last-step-of-padded",
        lambda: (Embeds(nn.GRU(D, H, batch_first=True), lambda o, h: o[:, -1]), padded_ids(), {}),
    ),
    "ours, last step": (
        "last-step-of-padded",
        lambda: (OursRead(last), padded(), {"lengths": LENGTHS}),
    ),
    "both ways, last step": (
        "last-step-of-bidirectional",
        lambda: (Read(nn.LSTM(D, H, bidirectional=True), last, 2 * H), series(), {}),
    ),
    "both ways, last step, batch first": (
        "last-step-of-bidirectional",
        lambda: (Read(nn.GRU(D, H, bidirectional=True, batch_first=True), last_first, 2 * H), series(True), {}),
    ),
    "both ways, own last step": (
        "last-step-of-bidirectional",
        lambda: (
            packed(nn.LSTM(D, H, bidirectional=True), lambda o, s, n: o[n - 1, torch.arange(N)]),
            padded(),
            {"lengths": LENGTHS},
        ),
    ),
    "both ways, one state": (
        "one-direction-of-two",
        lambda: (Read(nn.GRU(D, H, bidirectional=True), lambda o, h, _: h[-1], H), series(), {}),
    ),
    "state by a view": (
        "state-laid-out-wrong",
        lambda: (Read(nn.GRU(D, H, 2), lambda o, h, _: h.view(N, -1), 2 * H), series(), {}),
    ),
    "output by a view": (
        "state-laid-out-wrong",
        lambda: (Read(nn.GRU(D, H), lambda o, h, _: o.reshape(N, -1), T * H), series(), {}),
    ),
    "vanishing": (
        "vanishing-gradients",
        lambda: (scaled(Read(nn.RNN(D, H), last, H), 0.2), series(steps=40), {"target": classes(N), "loss": CE}),
    ),
    "exploding": (
        "exploding-gradients",
        lambda: (Read(exploding(), last, H), series(steps=20), {"target": classes(N), "loss": CE}),
    ),
    "vanishing, cells": ("vanishing-gradients", lambda: (scaled(Loop(nn.GRUCell(D, H)), 0.2), series(steps=60), {})),
    "dead": ("dead-units", lambda: (Read(dying(), lambda o, h, _: o, H), series(), {})),
    "saturated": ("saturated-units", lambda: (Read(nn.LSTM(D, H), lambda o, h, _: o, H), 1000 + 300 * series(), {})),
    "unused": ("parameters-without-gradient", lambda: (Unused(), series(), {"target": classes(N), "loss": CE})),
    "cut off": ("parameters-without-gradient", lambda: (CutOff(), series(), {"target": classes(N), "loss": CE})),
    "softmax twice": (
        "softmax-before-cross-entropy",
        lambda: (Softmaxed(), series(), {"target": classes(N), "loss": CE}),
    ),
    "sigmoid twice": (
        "softmax-before-cross-entropy",
        lambda: (Sigmoided(), series(), {"target": torch.rand(N, C), "loss": nn.BCEWithLogitsLoss()}),
    ),
}


class OursRead(nn.Module):
    def __init__(self, take, layer=None):
        super().__init__()
        self.rnn, self.take = layer or ostinato.GRU(D, H), take
        self.fc = nn.Linear(self.rnn.output_size, C)

    def forward(self, x, lengths):
        output, state = self.rnn(x, lengths=lengths)
        return self.fc(self.take(output, state, lengths))


class Loop(nn.Module):
    """Steps through a sequence by a cell."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.fc = cell, nn.Linear(H, C)

    def forward(self, x):
        state = None
        for step in x:
            state = self.cell(step, state)
        return self.fc(state[0] if isinstance(state, tuple) else state)


@pytest.mark.parametrize("case", ILL)
def test_what_is_ill_is_found(case):
    name, make = ILL[case]
    made = make()
    module, batch, options = made[0], made[1], made[2]
    found = ostinato.doctor(module, batch, **options)
    assert names(found) == [name], found


# ---------------------------------------------------------------- well


class Seq2seq(nn.Module):
    def __init__(self, attention=False):
        super().__init__()
        self.source, self.target = nn.Embedding(V, D), nn.Embedding(V, D)
        self.encoder, self.decoder = nn.LSTM(D, H, batch_first=True), nn.LSTM(D, H, batch_first=True)
        self.attention, self.fc = attention, nn.Linear(2 * H if attention else H, V)

    def forward(self, source, target):
        read, state = self.encoder(self.source(source))
        output, _ = self.decoder(self.target(target), state)
        if self.attention:
            weights = (output @ read.transpose(1, 2)).softmax(-1)
            output = torch.cat((output, weights @ read), -1)
        return self.fc(output)


class Written(nn.Module):
    """A decoder that goes step by step, on what it has written."""

    def __init__(self):
        super().__init__()
        self.embedding, self.encoder, self.decoder = nn.Embedding(V, D), nn.GRU(D, H), nn.GRU(D, H)
        self.fc = nn.Linear(H, V)

    def forward(self, source):
        _, state = self.encoder(self.embedding(source))
        token, scores = source[-1:], []
        for _ in range(4):
            output, state = self.decoder(self.embedding(token), state)
            scores.append(self.fc(output[-1]))
            token = scores[-1].argmax(-1)[None]
        return torch.stack(scores)


class OwnCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.ih, self.hh, self.fc = nn.Linear(D, H), nn.Linear(H, H, bias=False), nn.Linear(H, C)

    def forward(self, x):
        h = x.new_zeros(x.shape[1], H)
        for step in x:
            h = torch.tanh(self.ih(step) + self.hh(h))
        return self.fc(h)


class Steps(nn.Module):
    """Each step through the head by itself."""

    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.LSTM(D, H, bidirectional=True), nn.Linear(2 * H, C)

    def forward(self, x):
        output, _ = self.rnn(x)
        return torch.stack([self.fc(output[t]) for t in range(len(x))])


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.score, self.fc = nn.GRU(D, H, bidirectional=True), nn.Linear(2 * H, 1), nn.Linear(2 * H, C)

    def forward(self, x, lengths):
        output, _ = self.rnn(x)
        scores = self.score(output).squeeze(-1).masked_fill(torch.arange(len(x))[:, None] >= lengths, -1e9)
        return self.fc((scores.softmax(0).unsqueeze(-1) * output).sum(0))


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.norm, self.fc = nn.LSTM(D, H, 2, dropout=0.3), nn.BatchNorm1d(H), nn.Linear(H, C)

    def forward(self, x):
        return self.fc(self.norm(self.rnn(x)[1][0][-1]))


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(V, H), nn.LSTM(H, H, 2, dropout=0.2)
        self.fc = nn.Linear(H, V)
        self.fc.weight = self.embedding.weight

    def forward(self, ids, state=None):
        output, state = self.rnn(torch.dropout(self.embedding(ids), 0.3, self.training), state)
        return self.fc(output), state


def detached(model, x):
    return x, tuple(field.detach() for field in model(x)[1])


def ids(*shape):
    return torch.randint(V, shape)


def left_padded():
    x = series()
    x[torch.arange(T)[:, None] < T - LENGTHS] = 0
    return x


def windows():
    """One after the other of a series, as nobody has shuffled them."""
    wave = torch.sin(torch.arange(90) * 0.2)
    return torch.stack([wave[start : start + 40] for start in range(50)], 1)[..., None].expand(-1, -1, D)


both = {"bidirectional": True}
WELL = {
    "classifier, packed": lambda: (
        packed(nn.LSTM(D, H), lambda o, s, n: s[0][-1]),
        padded(),
        {"lengths": LENGTHS, "target": classes(N), "loss": CE},
    ),
    "classifier, packed, both ways": lambda: (
        packed(nn.GRU(D, H, batch_first=True, **both), lambda o, h, n: torch.cat((h[-2], h[-1]), 1)),
        padded(True),
        {"lengths": LENGTHS, "target": classes(N), "loss": CE},
    ),
    "classifier, own last step": lambda: (
        packed(nn.LSTM(D, H, batch_first=True), lambda o, s, n: o[torch.arange(N), n - 1]),
        padded(True),
        {"lengths": LENGTHS},
    ),
    "classifier, gathered": lambda: (
        packed(nn.LSTM(D, H), lambda o, s, n: o.gather(0, (n - 1)[None, :, None].expand(1, N, H)).squeeze(0)),
        padded(),
        {"lengths": LENGTHS},
    ),
    "classifier, ours": lambda: (
        OursRead(lambda o, s, n: s[0][-1], ostinato.LSTM(D, H)),
        padded(),
        {"lengths": LENGTHS, "target": classes(N), "loss": CE},
    ),
    "classifier, ours, mean of all": lambda: (
        OursRead(lambda o, h, n: o.sum(0) / n[:, None], ostinato.GRU(D, H, bidirectional=True)),
        padded(),
        {"lengths": LENGTHS},
    ),
    "classifier, attention": lambda: (Attends(), padded(), {"lengths": LENGTHS}),
    "classifier, several layers": lambda: (
        Read(nn.GRU(D, H, 2, **both), lambda o, h, _: h.transpose(0, 1).reshape(N, -1), 4 * H),
        series(),
        {"target": classes(N), "loss": CE},
    ),
    "classifier, layers apart": lambda: (
        Read(nn.GRU(D, H, 2, **both), lambda o, h, _: h.view(2, 2, N, H)[-1].transpose(0, 1).flatten(1), 2 * H),
        series(),
        {},
    ),
    "classifier, halves of the output": lambda: (
        Read(nn.GRU(D, H, **both), lambda o, h, _: torch.cat((o[-1, :, :H], o[0, :, H:]), 1), 2 * H),
        series(),
        {},
    ),
    "classifier, left-padded": lambda: (
        Read(nn.LSTM(D, H), lambda o, s, _: s[0][-1], H),
        left_padded(),
        {"lengths": LENGTHS},
    ),
    "classifier, batch norm and dropout": lambda: (Normed(), series(), {"target": classes(N), "loss": CE}),
    "tagger": lambda: (
        Read(nn.LSTM(D, H, batch_first=True, **both), lambda o, s, _: o, 2 * H),
        padded(True),
        {"lengths": LENGTHS, "target": classes(N, T), "loss": CE},
    ),
    "tagger, ids": lambda: (
        Embeds(nn.LSTM(D, H, batch_first=True, **both), lambda o, s: o, 2 * H),
        padded_ids(),
        {"target": classes(N, T), "loss": CE},
    ),
    "tagger, time first": lambda: (Embeds(nn.GRU(D, H), lambda o, s: o), padded_ids(False), {"target": classes(T, N)}),
    "tagger, step by step": lambda: (Steps(), padded(), {"lengths": LENGTHS}),
    "tagger, flat": lambda: (
        Read(nn.GRU(D, H, batch_first=True), lambda o, s, _: o.reshape(-1, H), H),
        series(True),
        {"target": classes(N * T), "loss": CE},
    ),
    "language model": lambda: (m := LanguageModel(), detached(m, ids(35, N)), {"target": ids(35, N), "loss": CE}),
    "language model, first batch": lambda: (LanguageModel(), ids(35, N), {"target": ids(35, N), "loss": CE}),
    "kept and detached": lambda: (Keeps(detach=True), series(), {}),
    "sequence to sequence": lambda: (Seq2seq(), (ids(N, T), ids(N, T + 2)), {"target": ids(N, T + 2), "loss": CE}),
    "sequence to sequence, attention": lambda: (Seq2seq(attention=True), (ids(N, T), ids(N, 5)), {}),
    "decoder step by step": lambda: (Written(), ids(T, N), {}),
    "forecast": lambda: (
        Read(nn.LSTM(D, H, batch_first=True), last_first, H),
        series(True, 24, 16),
        {"target": torch.randn(16, C), "loss": nn.MSELoss()},
    ),
    "windows in order": lambda: (Read(nn.GRU(D, H), last, H), windows(), {}),
    "windows in order, batch first": lambda: (
        Read(nn.GRU(D, H, batch_first=True), last_first, H),
        windows().transpose(0, 1),
        {},
    ),
    "log-softmax and NLL": lambda: (
        nn.Sequential(Read(nn.RNN(D, H), last, H), nn.LogSoftmax(-1)),
        series(),
        {"target": classes(N), "loss": nn.NLLLoss()},
    ),
    "loop over GRUCell": lambda: (Loop(nn.GRUCell(D, H)), series(), {"target": classes(N), "loss": CE}),
    "loop over our LSTMCell": lambda: (Loop(ostinato.LSTMCell(D, H)), series(), {"target": classes(N), "loss": CE}),
    "own cell": lambda: (OwnCell(), series(), {"target": classes(N), "loss": CE}),
    "a layer alone": lambda: (nn.LSTM(D, H, 2), padded(), {"lengths": LENGTHS}),
    "our layer alone, both ways": lambda: (ostinato.LSTM(D, H, 2, bidirectional=True), padded(), {"lengths": LENGTHS}),
    "projected": lambda: (Read(nn.LSTM(D, H, proj_size=4), last, 4), series(), {"target": classes(N), "loss": CE}),
    "weight norm": lambda: (
        Read(nn.utils.parametrizations.weight_norm(nn.LSTM(D, H), "weight_hh_l0"), last, H),
        series(),
        {"target": classes(N), "loss": CE},
    ),
    "one sequence": lambda: (Read(nn.GRU(D, H), lambda o, h, _: o[-1], H), series(sequences=1), {}),
    "without a batch": lambda: (Read(nn.GRU(D, H), lambda o, h, _: o[-1], H), series()[:, 0], {}),
    "an Ostinato batch": lambda: (
        OursRead(lambda o, s, n: s[0][-1], ostinato.LSTM(D, H)),
        ostinato.Batch(padded(), classes(N), LENGTHS),
        {"loss": CE},
    ),
    "no recurrence": lambda: (nn.Linear(D, C), series()[0], {"target": classes(N), "loss": CE}),
}


@pytest.mark.parametrize("case", WELL)
def test_of_what_is_well_nothing_is_said(case):
    module, batch, options = WELL[case]()[-3:]
    assert not ostinato.doctor(module, batch, **options)


# ---------------------------------------------------------------- as it was


class Busy(Keeps):
    """Changes all it can while it runs."""

    def __init__(self):
        super().__init__()
        self.norm, self.seen, self.by_name = nn.BatchNorm1d(D), 0, {}
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.seen += 1
        self.count += 1
        self.by_name[self.seen] = x
        self.drawn = random.random(), np.random.rand(), torch.rand(1)
        self.rnn.bias_ih_l0.data += 0.1
        return super().forward(self.norm(x.flatten(0, 1)).view_as(x))


def test_the_module_is_as_it_was():
    module = Busy().eval()
    module.fc.bias.requires_grad_(False)
    calls = []
    handle = module.rnn.register_forward_hook(lambda *_: calls.append(1))
    module(series()).sum().backward()
    before = copy.deepcopy(module.state_dict())
    gradients = {name: one.grad for name, one in module.named_parameters()}
    attributes = {name: value for name, value in module.__dict__.items() if not name.startswith("_")}
    passed, by_name = list(module.passed), dict(module.by_name)
    x, y = series(), classes(T, N)
    numbers = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    found = ostinato.doctor(module, x, target=y, loss=CE)
    assert "state-not-detached" in names(found)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(one.grad is gradients[name] for name, one in module.named_parameters())
    now = {name: value for name, value in module.__dict__.items() if not name.startswith("_")}
    assert now.keys() == attributes.keys()
    assert all(now[name] is attributes[name] for name in now)
    assert (module.passed, module.by_name) == (passed, by_name)
    assert not module.training
    assert [one.requires_grad for one in module.fc.parameters()] == [True, False]
    assert all(not part._forward_hooks for part in module.modules() if part is not module.rnn)
    handle.remove()
    assert not module.rnn._forward_hooks
    assert random.getstate() == numbers[0]
    assert (np.random.get_state()[1] == numbers[1]).all()
    assert torch.equal(torch.get_rng_state(), numbers[2])


def test_a_graph_of_the_users_can_still_be_gone_back_through():
    model, x = Passes(), series()
    output, state = model(x)
    ostinato.doctor(model, (x, state))
    output.sum().backward()
    assert model.fc.weight.grad is not None


def test_what_the_module_raises_is_raised_and_it_is_as_it_was():
    model = Keeps()
    with pytest.raises(RuntimeError, match="input"):
        ostinato.doctor(model, torch.zeros(T, N, D + 1))
    assert model.hidden is None
    assert not model.rnn._forward_hooks


def test_only_modules_that_know_their_sizes():
    with pytest.raises(ostinato.OstinatoError, match=r"expected a torch\.nn\.Module, got int"):
        ostinato.doctor(3, series())
    with pytest.raises(ostinato.OstinatoError, match="call it once first"):
        ostinato.doctor(nn.LazyLinear(3), series())


def test_a_finding_says_what_it_means_and_what_to_do():
    found = ostinato.doctor(Softmaxed(), series(), target=classes(N), loss=CE)
    assert found[0].said == "cross_entropy is given probabilities, which sum to 1 over the classes"
    assert found[0].anchor == found[0].name == "softmax-before-cross-entropy"
    lines = str(found).splitlines()
    assert lines[0].startswith("softmax-before-cross-entropy: cross_entropy is given probabilities")
    assert lines[-1] == "  see docs/guides/when-training-goes-wrong.md#softmax-before-cross-entropy"
    assert repr(ostinato.doctor(nn.Linear(D, C), series())) == "nothing found"


def test_arguments_by_name():
    found = ostinato.doctor(OursRead(last), {"x": padded(), "lengths": LENGTHS})
    assert names(found) == ["last-step-of-padded"]


def test_classes_over_time_are_seen_as_such():
    """[T, N, C] scores and [T, N] targets: without being laid flat, torch would take N for the classes."""
    model = Read(nn.GRU(D, H), lambda o, h, _: o, H)
    assert not ostinato.doctor(model, series(), target=classes(T, N), loss=CE)
