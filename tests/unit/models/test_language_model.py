"""The language model against one put together from torch.nn."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ostinato.core.errors import ConfigError
from ostinato.core.kept_state import KeptState
from ostinato.tasks.lm.model import LanguageModel

T, N, V = 9, 3, 11
IDS = torch.randint(0, V, (T + 1, N), generator=torch.Generator().manual_seed(4))


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


class Plain(nn.Module):
    """The same model as anyone would write it with torch.nn."""

    def __init__(self, kind, embed, hidden, layers, tied):
        super().__init__()
        self.embedding = nn.Embedding(V, embed)
        self.recurrent = getattr(nn, kind)(embed, hidden, layers)
        self.decoder = nn.Linear(hidden, V)
        if tied:
            self.decoder.weight = self.embedding.weight

    def forward(self, ids, state=None):
        output, state = self.recurrent(self.embedding(ids), state)
        return self.decoder(output), state


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize(("cell", "kind"), [("lstm", "LSTM"), ("gru", "GRU")])
def test_logits_and_gradients_are_torchs(cell, kind, tied):
    ours = LanguageModel(V, 6, 6, 2, cell=cell, tied=tied).double()
    theirs = Plain(kind, 6, 6, 2, tied).double()
    theirs.load_state_dict(ours.state_dict())
    logits = ours(IDS[:-1]).logits()
    expected, _ = theirs(IDS[:-1])
    torch.testing.assert_close(logits, expected)
    for scores in (logits, expected):
        F.cross_entropy(scores.flatten(0, 1), IDS[1:].flatten()).backward()
    for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)


def test_tied_weights_are_one_tensor_and_untied_are_not():
    tied, untied = (LanguageModel(V, 6, 6, tied=tied) for tied in (True, False))
    assert tied.decoder.weight.data_ptr() == tied.embedding.weight.data_ptr()
    assert untied.decoder.weight.data_ptr() != untied.embedding.weight.data_ptr()
    difference = sum(p.numel() for p in untied.parameters()) - sum(p.numel() for p in tied.parameters())
    assert difference == V * 6
    tied.to(torch.float64)
    assert tied.decoder.weight is tied.embedding.weight


def test_tied_weights_need_one_width():
    with pytest.raises(ConfigError, match="expected an embedding as wide as the output, 8, got 6"):
        LanguageModel(V, 6, 8, tied=True)
    LanguageModel(V, 5, 8, tied=True, proj_size=5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "jordan"])
def test_state_carried_over_pieces_is_one_long_pass(cell):
    model = LanguageModel(V, 4, 6, 2, cell=cell).double().eval()
    whole = model(IDS)
    kept, logits = KeptState(), []
    for piece in IDS.split([1, 4, 5]):
        output = model(piece, kept.state)
        kept.keep(output.state)
        logits.append(output.logits())
    torch.testing.assert_close(torch.cat(logits), whole.logits())
    for one, other in zip(kept.state, whole.state, strict=True):
        torch.testing.assert_close(one, other)


def test_dropout_stands_behind_the_embedding_and_before_the_output():
    model = LanguageModel(V, 400, 600, dropout=0.5)
    seen = {}
    model.recurrent.register_forward_pre_hook(lambda _, args: seen.update(embedded=args[0]))
    hidden = model(IDS).hidden
    for share in ((seen["embedded"] == 0).float().mean(), (hidden == 0).float().mean()):
        assert abs(share - 0.5) < 0.02
    kept = seen["embedded"] != 0
    torch.testing.assert_close(seen["embedded"][kept], 2 * model.embedding(IDS)[kept])
    model.eval()
    assert torch.equal(model(IDS).hidden, model(IDS).hidden)
    assert (model(IDS).hidden != 0).all()


def test_a_fresh_model_knows_nothing():
    loss = F.cross_entropy(LanguageModel(V, 6, 6)(IDS[:-1]).logits().flatten(0, 1), IDS[1:].flatten())
    assert abs(loss - math.log(V)) < 0.05


def test_first_weights_lie_within_a_tenth():
    model = LanguageModel(200, 50, 50)
    for weight in (model.embedding.weight, model.decoder.weight):
        assert 0.099 < weight.abs().max() <= 0.1
        assert abs(weight.std() - 0.2 / math.sqrt(12)) < 0.001
    assert not model.decoder.bias.any()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tied": True, "last_size": 6},
        {"cutoffs": (4,), "cell": "gru"},
        {"zoneout": 0.2, "dropout": 0.5, "weight_drop": 0.5},
    ],
    ids=str,
)
def test_a_stream_is_the_model_token_by_token(options):
    torch.manual_seed(4)
    model = LanguageModel(9, 6, 8, 2, **options).eval()
    ids = torch.randint(0, 9, (12, 3))
    with torch.no_grad():
        before = model(ids[:5])
        after = model(ids[5:], before.state)
    stream = model.stream(3, before.state)
    scores = torch.stack([stream.step(row) for row in ids[5:]])
    torch.testing.assert_close(scores, after.logits())
    for found, expected in zip(stream.state, after.state, strict=True):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(model.stream(3).step(ids[0]), model(ids[:1]).logits()[0].detach())
