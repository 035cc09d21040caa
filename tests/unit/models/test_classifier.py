"""A classifier against torch.nn run on each sequence alone, and pooling written out by hand."""

import pytest
import torch
from torch import nn

from ostinato.core.errors import ConfigError
from ostinato.models.many_to_one import ManyToOne

LENGTHS = torch.tensor([7, 1, 4])
IDS = torch.randint(0, 11, (7, 3), generator=torch.Generator().manual_seed(1))
FEATURES = torch.randn(7, 3, 2, generator=torch.Generator().manual_seed(2))


def make(**options):
    torch.manual_seed(3)
    return ManyToOne(4, hidden_size=5, **options).eval()


def alone(model, sequence, pooling, bidirectional, cell):
    """One sequence `[T, E]` through torch's layer, pooled by a loop."""
    layer = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](
        sequence.shape[1], 5, model.recurrent.num_layers, bidirectional=bidirectional
    )
    layer.load_state_dict(model.recurrent.state_dict())
    output, state = layer(sequence)
    if pooling == "mean":
        return sum(output) / len(output)
    if pooling == "max":
        return torch.stack([max(column) for column in output.T])
    if pooling == "concat":
        parts = ("last", "max", "mean")
        return torch.cat([alone(model, sequence, part, bidirectional, cell) for part in parts])
    if pooling == "last":
        h = state[0] if cell == "lstm" else state
        return torch.cat([h[-2], h[-1]]) if bidirectional else h[-1]
    first, _, last = model.attention
    scores = torch.stack([last.weight[0] @ torch.tanh(first.weight @ h + first.bias) for h in output])
    return sum(share * h for share, h in zip(scores.exp() / scores.exp().sum(), output, strict=True))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", "concat"])
def test_each_sequence_as_if_it_were_alone(pooling, bidirectional, cell):
    model = make(vocab_size=11, embed_size=3, num_layers=2, cell=cell, bidirectional=bidirectional, pooling=pooling)
    found = model(IDS, LENGTHS)
    for n, length in enumerate(LENGTHS):
        sequence = model.input.weight[IDS[:length, n]]
        pooled = alone(model, sequence, pooling, bidirectional, cell)
        torch.testing.assert_close(found.pooled[n], pooled, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.logits[n], model.output.weight @ pooled + model.output.bias)
        if pooling == "attention":
            assert found.attention[:length, n].sum().item() == pytest.approx(1, rel=1e-5)
            assert not found.attention[length:, n].any()


def test_features_through_a_linear_layer_or_as_they_are():
    model = make(features=2, embed_size=3)
    expected = alone(model, FEATURES[:4, 2] @ model.input.weight.T + model.input.bias, "max", True, "lstm")
    torch.testing.assert_close(model(FEATURES, LENGTHS).pooled[2], expected, rtol=1e-5, atol=1e-6)
    plain = make(features=2)
    expected = alone(plain, FEATURES[:4, 2], "max", True, "lstm")
    torch.testing.assert_close(plain(FEATURES, LENGTHS).pooled[2], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", "concat"])
def test_an_empty_sequence_pools_to_zeros_and_has_finite_gradients(pooling):
    model = make(vocab_size=11, pooling=pooling)
    found = model(IDS, torch.tensor([7, 0, 4]))
    assert not found.pooled[1].any()
    torch.testing.assert_close(found.logits[1], model.output.bias)
    found.logits.sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", "concat"])
def test_what_stands_behind_the_end_is_of_no_influence(pooling):
    model = make(vocab_size=11, pooling=pooling)
    other = IDS.clone()
    other[1:, 1] = 7
    other[4:, 2] = 9
    torch.testing.assert_close(model(other, LENGTHS).logits, model(IDS, LENGTHS).logits, rtol=0, atol=0)


def test_words_are_dropped_whole_and_the_rest_made_up_for():
    model = make(vocab_size=11, word_dropout=0.25).train()
    seen = []
    model.recurrent.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    ids = torch.randint(0, 11, (200, 50))
    model(ids, torch.full((50,), 200))
    embedded = model.input(ids)
    dropped = (seen[0] == 0).all(-1)
    assert dropped.float().mean().item() == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(seen[0][~dropped], embedded[~dropped] / 0.75)
    model.eval()(ids, torch.full((50,), 200))
    torch.testing.assert_close(seen[1], embedded)


def test_features_fed_as_they_are_stay_whole():
    seen = []
    for model in (make(features=2, dropout=0.5), make(features=2, embed_size=8, dropout=0.5)):
        model.recurrent.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        model.train()(FEATURES, LENGTHS)
    assert torch.equal(seen[0], FEATURES)
    assert (seen[1] == 0).float().mean() > 0.3


def test_what_cannot_be():
    with pytest.raises(ConfigError, match="one of vocab_size and features"):
        make()
    with pytest.raises(ConfigError, match="unknown pooling 'median': there are last, mean, max, attention, concat"):
        make(features=2, pooling="median")
    for own in ({"convolutions": 2}, {"warp": 1.0}):
        with pytest.raises(ConfigError, match="for a model of features"):
            make(vocab_size=11, **own)


def test_convolutions_stand_in_front_of_the_layers():
    model = make(features=2, convolutions=2, cell="gru")
    frames, lengths = model.convolutions(FEATURES, LENGTHS)
    found, seen = model(FEATURES, LENGTHS), []
    for n, length in enumerate(lengths.tolist()):
        expected = alone(model, frames[:length, n], "max", True, "gru")
        torch.testing.assert_close(found.pooled[n], expected, rtol=1e-5, atol=1e-6)
    model.recurrent.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model(FEATURES, LENGTHS)
    assert seen[0].shape == (2, 3, 64)  # a quarter of the steps
    assert make(features=2, convolutions=1, embed_size=3).convolutions.layers[0].in_channels == 3


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", "concat"])
def test_with_convolutions_the_answer_is_the_same_whatever_stands_beside(pooling):
    model = make(features=2, convolutions=2, pooling=pooling)
    found = model(FEATURES, LENGTHS).logits
    for n, length in enumerate(LENGTHS.tolist()):
        own = model(FEATURES[:length, n : n + 1], torch.tensor([length])).logits[0]
        torch.testing.assert_close(own, found[n], rtol=1e-5, atol=1e-6)
    other = FEATURES.clone()
    other[1:, 1], other[4:, 2] = 1e6, torch.nan
    torch.testing.assert_close(model(other, LENGTHS).logits, found, rtol=0, atol=0)


def test_sequences_are_varied_in_training_alone():
    model = make(features=2, warp=1.0)
    one, two = (model.train()(FEATURES, LENGTHS).logits for _ in range(2))
    assert not torch.equal(one, two)
    plain = make(features=2)
    torch.testing.assert_close(model.eval()(FEATURES, LENGTHS).logits, plain(FEATURES, LENGTHS).logits)
