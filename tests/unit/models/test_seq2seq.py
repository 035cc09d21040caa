"""Encoder and decoder against the books' equations in NumPy, one step at a time, and against themselves."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ostinato.cells.noise import StateNoise
from ostinato.core.errors import ConfigError
from ostinato.tasks.translate.model import Seq2Seq, reversal
from tests.oracles import lstm

S, T, N, V, W, E, H = 5, 4, 3, 9, 7, 6, 8
SOURCE = torch.randint(1, V, (S, N), generator=torch.Generator().manual_seed(1))
INPUTS = torch.randint(0, W, (T, N), generator=torch.Generator().manual_seed(2))
SOURCE_LENGTHS, LENGTHS = torch.tensor([5, 3, 1]), torch.tensor([4, 2, 3])

VARIANTS = {
    "plain": {"attention": None, "bidirectional": False},
    "reversed": {"attention": None, "bidirectional": False, "reverse": True},
    "peeky": {"attention": None, "bidirectional": False, "peeky": True},
    "peeky, both ways": {"attention": None, "peeky": True},
    "dot": {"attention": "dot"},
    "general, reversed, one way": {"attention": "general", "bidirectional": False, "reverse": True},
    "additive": {"attention": "additive"},
    "input feeding": {"attention": "general", "input_feeding": True},
    "tied": {"attention": "general", "tied": True},
    "tied without attention": {"attention": None, "tied": True},
    "everything": {"attention": "general", "peeky": True, "input_feeding": True, "tied": True, "reverse": True},
}


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def make(layers=1, **options):
    return Seq2Seq(V, W, E, H, layers, **options).double().eval()


def read(model, lengths=None, **options):
    return model(SOURCE, SOURCE_LENGTHS, target_inputs=INPUTS, target_lengths=lengths, **options)


@pytest.mark.parametrize("layers", [1, 2])
def test_step_by_step_the_same_units_are_dropped(layers, monkeypatch):
    """With input feeding or sampling the decoder is called once a token; recurrent dropout is of the whole sequence."""
    drawn, draw = [], StateNoise.draw

    def watched(state, steps, **rates):
        torch.manual_seed(5)
        drawn.append(steps)
        return draw(state, steps, **rates)

    monkeypatch.setattr(StateNoise, "draw", watched)
    model = make(layers, recurrent_dropout=0.5, attention=None, bidirectional=False)
    decoder = model.decoder.train()
    state = decoder.start(decoder.initial_state(N))
    whole, *_ = decoder._read(INPUTS, state)
    steps, *_ = decoder._read_by_steps(INPUTS, state, -1.0)
    torch.testing.assert_close(steps, whole)
    assert drawn == [T] * 2 * layers


def layer(p, prefix, index, suffix=""):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {name: p[f"{prefix}.{name}_l{index}{suffix}"] for name in names}


def run(weights, x, h, c):
    """One sequence x [T, D] through one LSTM layer."""
    out, (h, c) = lstm.forward(x[:, None], weights, (h[None], c[None]))
    return out[:, 0], h[0], c[0]


def encode(model, p, source):
    """One sentence: outputs [S, M] and (h, c) of each decoder layer."""
    encoder = model.encoder
    x = p["encoder.embedding.weight"][source]
    if encoder.reverse:
        x = x[::-1]
    states = []
    for index in range(encoder.recurrent.num_layers):
        ways = []
        for suffix in ("", "_reverse") if encoder.recurrent.bidirectional else ("",):
            weights = layer(p, "encoder.recurrent", index, suffix)
            units = weights["weight_hh"].shape[1]
            out, h, c = run(weights, x[::-1] if suffix else x, np.zeros(units), np.zeros(units))
            ways.append((out[::-1] if suffix else out, h, c))
        x = np.concatenate([way[0] for way in ways], axis=1)
        states.append((np.concatenate([way[1] for way in ways]), np.concatenate([way[2] for way in ways])))
    return x[::-1] if encoder.reverse else x, states


def attend(model, p, h, outputs):
    kind = model.decoder.attention.score
    if kind == "dot":
        scores = outputs @ h
    elif kind == "general":
        scores = outputs @ p["decoder.attention.key.weight"].T @ h
    else:
        query = p["decoder.attention.query.weight"] @ h + p["decoder.attention.query.bias"]
        scores = np.tanh(query + outputs @ p["decoder.attention.key.weight"].T) @ p["decoder.attention.weight"]
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    return weights @ outputs, weights


def by_hand(model, source, inputs):
    """Logits [T, W] and attention [T, S] of one sentence."""
    p = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    decoder = model.decoder
    outputs, states = encode(model, p, source)
    peek = [states[-1][0]] if decoder.peeky else []
    fed = [np.zeros(decoder.read_size)] if decoder.input_feeding else []
    logits, seen = [], []
    for token in inputs:
        x = np.concatenate([p["decoder.embedding.weight"][token], *peek, *fed])
        out, *states[0] = run(layer(p, "decoder.first", 0), x[None], *states[0])
        h, context = out[0], []
        if decoder.attention is not None:
            mean, weights = attend(model, p, h, outputs)
            context = [mean]
            seen.append(weights)
        for index in range(1, len(states)):
            x = np.concatenate([h, *context]) if index == 1 else h
            out, *states[index] = run(layer(p, "decoder.above", index - 1), x[None], *states[index])
            h = out[0]
        read = np.concatenate([h, *context, *peek])
        if decoder.readout is not None:
            read = np.tanh(p["decoder.readout.weight"] @ read + p["decoder.readout.bias"])
        fed = [read] if fed else []
        logits.append(p["decoder.output.weight"] @ read + p["decoder.output.bias"])
    return np.array(logits), np.array(seen)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_and_attention_are_the_equations(variant, layers):
    model = make(layers, **VARIANTS[variant])
    output = read(model, LENGTHS)
    logits = output.logits().detach().numpy()
    for n in range(N):
        source, inputs = SOURCE[: SOURCE_LENGTHS[n], n].numpy(), INPUTS[: LENGTHS[n], n].numpy()
        expected, weights = by_hand(model, source, inputs)
        np.testing.assert_allclose(logits[: LENGTHS[n], n], expected, atol=1e-10)
        if output.attention is not None:
            found = output.attention[: LENGTHS[n], n, : SOURCE_LENGTHS[n]].detach()
            np.testing.assert_allclose(found, weights, atol=1e-10)
            assert not output.attention[:, n, SOURCE_LENGTHS[n] :].any()


@pytest.mark.parametrize("cell", ["rnn", "gru", "jordan", "lstm_peephole"])
@pytest.mark.parametrize("variant", ["plain", "general, reversed, one way", "everything"])
def test_steps_one_by_one_are_the_whole(cell, variant):
    model = make(2, cell=cell, **VARIANTS[variant])
    whole = read(model).logits()
    state = model.start(SOURCE, SOURCE_LENGTHS)
    for t in range(T):
        logits, state = model.decoder.step(INPUTS[t].unsqueeze(1), state)
        torch.testing.assert_close(logits.squeeze(1), whole[t])


@pytest.mark.parametrize("variant", ["peeky", "general, reversed, one way", "everything"])
def test_hypotheses_of_a_sentence_share_its_memory(variant):
    """K hypotheses in N*K rows, chosen and reordered, go on as each would alone."""
    model = make(2, **VARIANTS[variant])
    state = model.start(SOURCE, SOURCE_LENGTHS)
    _, state = model.decoder.step(torch.zeros(N, 1, dtype=torch.long), state)
    kept = torch.tensor([2, 0])  # of three sentences two go on, in another order, with two hypotheses each
    state = state.select(torch.tensor([2, 2, 0, 0]), kept)
    tokens = torch.tensor([[1, 2], [3, 4]])
    logits, state = model.decoder.step(tokens, state)
    state = state.select(torch.tensor([1, 0, 2, 3]))
    swapped, _ = model.decoder.step(torch.tensor([[5, 5], [5, 5]]), state)
    for row, n in enumerate(kept.tolist()):
        for k in range(2):
            alone = model.start(SOURCE[: SOURCE_LENGTHS[n], n : n + 1], SOURCE_LENGTHS[n : n + 1])
            _, alone = model.decoder.step(torch.zeros(1, 1, dtype=torch.long), alone)
            expected, alone = model.decoder.step(tokens[row, k].view(1, 1), alone)
            torch.testing.assert_close(logits[row, k], expected[0, 0])
            expected, _ = model.decoder.step(torch.tensor([[5]]), alone)
            torch.testing.assert_close(swapped[row, 1 - k if row == 0 else k], expected[0, 0])


def test_one_embedding_for_all_three_uses():
    model = Seq2Seq(V, V, E, H, tied=True, shared=True)
    assert model.encoder.embedding.weight is model.decoder.embedding.weight is model.decoder.output.weight
    assert sum("embedding" in name for name, _ in model.named_parameters()) == 1


def test_scheduled_sampling_feeds_what_the_decoder_predicts():
    """At probability 1 every input but the first is the decoder's own; this one is so sure that drawing is certain."""
    model = make(1, **VARIANTS["dot"])
    with torch.no_grad():
        model.decoder.output.weight.mul_(1e4)
    free = read(model, LENGTHS, sampling=1.0).logits()
    state, tokens = model.start(SOURCE, SOURCE_LENGTHS), INPUTS[0]
    for t in range(T):
        logits, state = model.decoder.step(tokens.unsqueeze(1), state)
        torch.testing.assert_close(free[t], logits.squeeze(1))
        tokens = logits.squeeze(1).argmax(-1)
    forced = read(model, LENGTHS, sampling=0.0).logits()
    assert not torch.allclose(free, forced)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_learns(variant):
    model = make(2, **VARIANTS[variant]).train()
    logits = read(model, LENGTHS, sampling=0.5).logits()
    F.cross_entropy(logits.flatten(0, 1), INPUTS.flatten()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_states_of_another_width_are_bridged():
    """With a projection of 3 units h is 3 wide in the decoder, and 6 from both directions of the encoder."""
    model = make(2, proj_size=3, attention="general")
    assert set(model.encoder.bridges) == {"h"}
    assert model.encoder.bridges["h"].weight.shape == (3, 6)
    assert read(model, LENGTHS).logits().isfinite().all()


def test_reversal_turns_only_what_counts():
    order = reversal(4, 2, torch.tensor([3, 4]))
    assert order[:, 0].tolist() == [2, 1, 0, 3]
    assert order[:, 1].tolist() == [3, 2, 1, 0]
    assert reversal(3, 1, None).flatten().tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": None, "input_feeding": True}, "choose an attention as well"),
        ({"shared": True}, "expected one vocabulary, got 9 and 7"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ConfigError, match=message):
        make(**options)


def test_an_odd_size_cannot_be_shared_by_two_directions():
    with pytest.raises(ConfigError, match="expected an even number, got 7"):
        Seq2Seq(V, W, E, 7)


def test_a_mask_of_weights_for_a_whole_sequence_cannot_be_drawn_step_by_step():
    model = make(1, **VARIANTS["dot"]).train()
    model.decoder.first.weight_drop = 0.5
    with pytest.raises(ConfigError, match="weight_drop: with input feeding"):
        read(model, LENGTHS, sampling=1.0)


def test_units_dropped_for_a_whole_sequence_cannot_be_drawn_step_by_step():
    model = make(3, **VARIANTS["dot"]).train()
    model.decoder.above.locked_dropout, model.decoder.above.dropout = True, 0.5
    with pytest.raises(ConfigError, match="locked_dropout: with input feeding"):
        read(model, LENGTHS, sampling=1.0)
