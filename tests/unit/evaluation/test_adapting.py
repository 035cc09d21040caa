"""Dynamic evaluation and the neural cache, one token after the other, in NumPy and plain loops."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ostinato.core.errors import ConfigError
from ostinato.data.batching.streams import single_stream
from ostinato.tasks.lm.adapting import token_losses
from ostinato.tasks.lm.figures import evaluate_language_model
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.lm.options import AdaptingOptions

V, EOS = 13, 5
IDS = np.random.default_rng(3).integers(0, V, 83).astype(np.uint16)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = LanguageModel(V, 6, 8, 2, dropout=0.5).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.7)  # far from even, so that mistakes show
    return model.eval()


class Plain(nn.Module):
    """The same model from torch.nn, with the same names."""

    def __init__(self, model):
        super().__init__()
        self.embedding, self.recurrent = nn.Embedding(V, 6), nn.LSTM(6, 8, 2)
        self.decoder = nn.Linear(8, V)
        self.double().load_state_dict(model.state_dict())

    def forward(self, ids, state):
        hidden, state = self.recurrent(self.embedding(ids), state)
        return hidden, self.decoder(hidden), state


def inputs_and_targets():
    targets = torch.tensor(IDS.astype(int))
    return torch.cat([torch.tensor([EOS]), targets[:-1]]), targets


def by_token(model, options, steps):
    return torch.cat(list(token_losses(model, single_stream(IDS, steps, EOS), options))).numpy()


def cache_by_hand(hidden, probabilities, targets, window, theta, share):
    """Equations 2 and 3 of Grave et al. 2017, one word of the vocabulary and one moment at a time."""
    losses = []
    for t, target in enumerate(targets):
        remembered = range(max(0, t - window), t)
        if not remembered:
            losses.append(-math.log(probabilities[t][target]))
            continue
        scores = dict.fromkeys(range(V), 0.0)
        for i in remembered:
            scores[int(targets[i])] += math.exp(theta * sum(a * b for a, b in zip(hidden[t], hidden[i], strict=True)))
        p = {w: (1 - share) * probabilities[t][w] + share * scores[w] / sum(scores.values()) for w in range(V)}
        assert sum(p.values()) == pytest.approx(1)
        losses.append(-math.log(p[int(target)]))
    return np.array(losses)


@pytest.mark.parametrize("steps", [1, 7, 100])
@pytest.mark.parametrize("window", [1, 10, 1000])
def test_cache(model, window, steps):
    inputs, targets = inputs_and_targets()
    with torch.no_grad():
        hidden, logits, _ = Plain(model)(inputs.unsqueeze(1), None)
    expected = cache_by_hand(hidden[:, 0].numpy(), logits[:, 0].softmax(-1).numpy(), targets.numpy(), window, 0.7, 0.3)
    options = AdaptingOptions(cache=window, cache_theta=0.7, cache_lambda=0.3)
    np.testing.assert_allclose(by_token(model, options, steps), expected, rtol=1e-9)


def dynamic_by_hand(model, steps, lr, decay):
    """Losses, hidden states and probabilities of a model that torch's SGD trains on each piece once it is scored."""
    plain = Plain(model)
    first = {name: p.detach().clone() for name, p in plain.named_parameters()}
    optimizer, state, losses, hiddens, probabilities = torch.optim.SGD(plain.parameters(), lr=lr), None, [], [], []
    for read, targets in zip(*(ids.split(steps) for ids in inputs_and_targets()), strict=True):
        hidden, logits, state = plain(read.unsqueeze(1), state)
        loss = F.cross_entropy(logits[:, 0], targets)
        losses += [
            float(F.cross_entropy(row, target)) for row, target in zip(logits[:, 0].detach(), targets, strict=True)
        ]
        hiddens += hidden[:, 0].detach().tolist()
        probabilities += logits[:, 0].detach().softmax(-1).tolist()
        before = {name: p.detach().clone() for name, p in plain.named_parameters()}
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for name, p in plain.named_parameters():
                p += decay * (first[name] - before[name])
        state = tuple(field.detach() for field in state)
    return losses, hiddens, probabilities


@pytest.mark.parametrize(("steps", "decay"), [(5, 0.0), (5, 0.2), (30, 0.1)])
def test_dynamic(model, steps, decay):
    before = {name: p.clone() for name, p in model.state_dict().items()}
    expected, _, _ = dynamic_by_hand(model, steps, 0.3, decay)
    options = AdaptingOptions(dynamic=0.3, dynamic_steps=steps, dynamic_decay=decay)
    with torch.no_grad():  # as `Run.evaluate` does
        found = by_token(model, options, steps)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    assert abs(found - by_token(model, AdaptingOptions(), steps)).max() > 0.1


def test_both(model):
    _, hidden, probabilities = dynamic_by_hand(model, 5, 0.3, 0.0)
    expected = cache_by_hand(hidden, probabilities, IDS, 20, 0.3, 0.1)
    options = AdaptingOptions(dynamic=0.3, cache=20)
    np.testing.assert_allclose(by_token(model, options, 5), expected, rtol=1e-6)


def test_figures_name_what_was_on(model):
    def figures(**options):
        return evaluate_language_model(
            model, single_stream(IDS, 5, EOS), len(IDS), level="word", adapting=AdaptingOptions(**options)
        )

    assert set(figures()) == {"tokens", "loss", "perplexity"}
    assert figures(cache_theta=3.0) == figures(), "off, its settings change nothing"
    found = figures(dynamic=0.3, cache=20, cache_theta=0.5)
    assert found["dynamic"] == {"lr": 0.3, "steps": 5, "decay": 0.0}
    assert found["cache"] == {"window": 20, "theta": 0.5, "lambda": 0.1}
    losses = by_token(model, AdaptingOptions(dynamic=0.3, cache=20, cache_theta=0.5), 5)
    assert found["loss"] == pytest.approx(losses.mean())
    assert found["perplexity"] == pytest.approx(math.exp(losses.mean()))


def test_too_high_a_rate_is_said(model):
    with pytest.raises(ConfigError, match=r"--dynamic 1e\+300: the loss is no longer finite after .* lower rate"):
        evaluate_language_model(
            model, single_stream(IDS, 5, EOS), len(IDS), level="word", adapting=AdaptingOptions(dynamic=1e300)
        )


def test_what_fails_leaves_the_model_in_training_and_names_its_option(model):
    for options, named in (
        ({"dynamic": 1e300}, "--dynamic"),
        ({"cache": 10, "cache_theta": math.inf}, "--cache-theta"),
    ):
        adapting = AdaptingOptions(**options)
        with pytest.raises(ConfigError, match=f"{named} .*no longer finite"):
            evaluate_language_model(
                model.train(), single_stream(IDS, 5, EOS), len(IDS), level="word", adapting=adapting
            )
        assert model.training


def test_a_frozen_weight_stays_and_the_others_learn(model):
    model.embedding.weight.requires_grad_(False)
    losses = [
        torch.cat([*token_losses(model, single_stream(IDS, 5, EOS), AdaptingOptions(dynamic=rate))]).sum()
        for rate in (0.0, 0.1)
    ]
    assert losses[0] != losses[1]
