"""The tagger against one put together from torch.nn, one sentence and one word at a time."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ostinato.core.errors import ConfigError
from ostinato.tasks.tag.model import Tagger

V, A, K = 11, 7, 5
SIZES = {"embed_size": 6, "hidden_size": 5, "num_layers": 2, "character_embed_size": 3, "character_hidden_size": 4}
WORDS = [[3, 1, 0, 9], [2], [9, 3]]  # sentences
SPELLED = [[0, 1, 2, 0], [1], [0, 3]]  # which of the spellings each word has
SPELLINGS = [[1, 2], [3], [6, 5, 4, 0, 1], [2, 2, 2]]
NOTHING = dict.fromkeys(["spelled", "characters", "character_lengths"])


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def padded(rows, filling=0, extra=0):
    """`[longest, rows]` and the lengths."""
    longest = max(map(len, rows)) + extra
    return torch.tensor([[*row, *[filling] * (longest - len(row))] for row in rows]).T, torch.tensor([*map(len, rows)])


def batch(filling=0, extra=0):
    """Arguments of the model; what stands in the padding must not matter."""
    words, lengths = padded(WORDS, filling, extra)
    spelled, _ = padded(SPELLED, filling and 1, extra)
    characters, character_lengths = padded(SPELLINGS, filling, extra)
    more = {"spelled": spelled, "characters": characters, "character_lengths": character_lengths}
    return words, lengths, more


def read(model, **padding):
    """What the model makes of the batch."""
    words, lengths, more = batch(**padding)
    return model(words, lengths, **more)


class Plain(nn.Module):
    """The same model as anyone would write it, without padding."""

    def __init__(self, kind):
        super().__init__()
        self.embedding = nn.Embedding(V, 6)
        self.spelling = nn.ModuleDict(
            {"embedding": nn.Embedding(A, 3), "recurrent": getattr(nn, kind)(3, 4, bidirectional=True)}
        )
        self.recurrent = getattr(nn, kind)(6 + 8, 5, 2, bidirectional=True)
        self.output = nn.Linear(10, K)

    def spell(self, characters):
        outputs, _ = self.spelling["recurrent"](self.spelling["embedding"](torch.tensor(characters)).unsqueeze(1))
        return torch.cat([outputs[-1, 0, :4], outputs[0, 0, 4:]])

    def forward(self, words, spellings):
        spelled = torch.stack([self.spell(SPELLINGS[i]) for i in spellings])
        x = torch.cat([self.embedding(torch.tensor(words)), spelled], dim=1)
        return self.output(self.recurrent(x.unsqueeze(1))[0].squeeze(1))


@pytest.mark.parametrize(("cell", "kind"), [("lstm", "LSTM"), ("gru", "GRU")])
def test_scores_and_gradients_are_torchs(cell, kind):
    ours, theirs = Tagger(V, A, K, cell=cell, **SIZES).double(), Plain(kind).double()
    theirs.load_state_dict(ours.state_dict())
    emissions = read(ours).emissions
    expected = [theirs(*pair) for pair in zip(WORDS, SPELLED, strict=True)]
    for n, one in enumerate(expected):
        torch.testing.assert_close(emissions[: len(one), n], one)
    sum(emissions[: len(one), n].square().sum() for n, one in enumerate(expected)).backward()
    sum(one.square().sum() for one in expected).backward()
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, msg=name)


def test_padding_changes_nothing():
    model = Tagger(V, A, K, **SIZES).double()
    one, other = read(model), read(model, filling=4, extra=3)
    for n, length in enumerate(one.lengths):
        torch.testing.assert_close(one.emissions[:length, n], other.emissions[:length, n])


def test_words_are_dropped_to_the_unknown_one_in_training_only():
    dropping, never = Tagger(V, A, K, word_dropout=1e9, **SIZES), Tagger(V, A, K, **SIZES)
    never.load_state_dict(dropping.state_dict())
    words, lengths, more = batch()
    unknown = never(torch.zeros_like(words), lengths, **more).emissions
    torch.testing.assert_close(read(dropping).emissions, read(never).emissions)  # who counts nothing drops nothing
    dropping.count_words(torch.ones(V))
    torch.testing.assert_close(read(dropping).emissions, unknown)
    torch.testing.assert_close(read(dropping.eval()).emissions, read(never).emissions)
    assert not torch.allclose(unknown, read(never).emissions)


def test_the_rarer_a_word_the_more_often_it_is_dropped():
    model = Tagger(V, A, K, **SIZES | {"character_hidden_size": 0}, word_dropout=0.5)
    counts = torch.arange(V)
    model.count_words(counts)
    seen = []
    model.embedding.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    words = counts.expand(2000, V)
    model(words, **NOTHING)
    share = (seen[0] == 0).float().mean(0)
    torch.testing.assert_close(share, 0.5 / (0.5 + counts), rtol=0, atol=0.04)
    assert ((seen[0] == words) | (seen[0] == 0)).all()


def test_without_spelling_there_are_words_only():
    model = Tagger(V, A, K, **SIZES | {"character_hidden_size": 0})
    assert not any("spelling" in name for name, _ in model.named_parameters())
    words, lengths, _ = batch()
    assert model(words, lengths, **NOTHING).emissions.shape == (4, 3, K)


def test_a_crf_comes_with_its_scores():
    model = Tagger(V, A, K, head="crf", **SIZES)
    output = read(model)
    assert output.chain.transitions is model.crf.transitions
    assert read(Tagger(V, A, K, **SIZES)).chain is None


def test_a_small_model_learns_from_spelling_what_words_do_not_tell():
    """The tag is the last character; every word is unknown."""
    model = Tagger(1, A, A, 4, 16, character_hidden_size=16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    words, lengths, more = batch()
    words = torch.zeros_like(words)
    last = torch.tensor([row[-1] for row in SPELLINGS])[more["spelled"]]
    inside = torch.arange(len(words)).unsqueeze(1) < lengths
    for _ in range(60):
        emissions = model(words, lengths, **more).emissions
        loss = F.cross_entropy(emissions[inside], last[inside])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.equal(emissions[inside].argmax(1), last[inside])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"head": "hmm"}, "head: expected one of crf, softmax, got 'hmm'"),
        ({"word_dropout": -0.5}, "word_dropout: expected at least 0"),
    ],
)
def test_refused(options, expected):
    with pytest.raises(ConfigError, match=expected):
        Tagger(V, A, K, **SIZES, **options)
