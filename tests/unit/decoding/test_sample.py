"""Writing on, token by token, against a plain loop over the model."""

import itertools

import pytest
import torch
from torch import nn

from ostinato.tasks.lm.model import LanguageModel, LanguageModelStream
from ostinato.tasks.lm.options import SamplingOptions
from ostinato.tasks.lm.sampling import sample

V = 9


@pytest.fixture
def model():
    torch.set_num_threads(1)
    torch.manual_seed(2)
    model = LanguageModel(V, 6, 8, 2)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.8)
    return model.eval()


@pytest.mark.parametrize("prompt", [[0], [0, 3, 1, 4, 1, 5]])
def test_greedy_is_the_best_token_after_reading_everything_anew(model, prompt):
    read = list(prompt)
    for _ in range(25):
        with torch.no_grad():
            read.append(int(model(torch.tensor(read)[:, None]).logits()[-1, 0].argmax()))
    written = list(sample(model, prompt, 25, SamplingOptions(greedy=True)))
    assert written == read[len(prompt) :]
    assert len(set(written)) > 1


def test_draws_follow_the_models_probabilities(model):
    prompt = [0, 3, 1]
    with torch.no_grad():
        expected = model(torch.tensor(prompt)[:, None]).logits()[-1, 0].softmax(0)
    drawn = [next(sample(model, prompt, 1, SamplingOptions(seed=seed))) for seed in range(1500)]
    counts = torch.bincount(torch.tensor(drawn), minlength=V)
    assert ((counts - 1500 * expected) ** 2 / (1500 * expected)).sum() < 26.1  # chi-square, 8 degrees, 99.9 %


def test_the_same_seed_writes_the_same_and_others_other(model):
    def written(seed):
        return list(sample(model, [0], 40, SamplingOptions(seed=seed)))

    assert written(5) == written(5)
    assert written(5) != written(6)
    torch.manual_seed(123)
    state = torch.get_rng_state()
    first = written(None)
    assert torch.equal(torch.get_rng_state(), state)  # the program's own random numbers are left alone
    torch.manual_seed(123)
    assert first != written(None)


def test_what_must_never_be_written_is_not(model):
    with torch.no_grad():
        model.decoder.bias[[1, 0]] += 50.0
    written = list(sample(model, [0], 200, SamplingOptions(seed=1), never={1}))
    assert set(written) == {0}
    assert not {0, 1} & set(sample(model, [0], 200, SamplingOptions(seed=1), never={1, 0}))
    assert 1 not in list(sample(model, [0], 20, SamplingOptions(greedy=True), never={1}))


def test_the_prompt_is_read_once_and_then_one_token_at_a_time(model, monkeypatch):
    shapes, steps = [], []
    model.register_forward_pre_hook(lambda _, args: shapes.append(tuple(args[0].shape)))
    step = LanguageModelStream.step
    monkeypatch.setattr(LanguageModelStream, "step", lambda self, ids: steps.append(int(ids)) or step(self, ids))
    written = list(sample(model, [0, 1, 2], 4, SamplingOptions()))
    assert shapes == [(3, 1)]
    assert steps == written[:-1]


def test_tokens_come_as_they_are_written(model, monkeypatch):
    calls = []
    step = LanguageModelStream.step
    monkeypatch.setattr(LanguageModelStream, "step", lambda self, ids: calls.append(1) or step(self, ids))
    tokens = sample(model, [0], 10**9, SamplingOptions(greedy=True))
    assert len(list(itertools.islice(tokens, 3))) == 3
    assert len(calls) == 2


def test_nothing_to_write(model):
    assert list(sample(model, [0], 0, SamplingOptions())) == []
