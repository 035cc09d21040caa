"""Encoders and decoders, against the same written with torch's layers, in float64."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ostinato import byhand
from ostinato.interop.layouts import layout

V, D, H, N, S, T = 9, 4, 5, 3, 6, 4
KINDS = [byhand.Seq2seq, byhand.PeekySeq2seq, byhand.AttentionSeq2seq]


class Reference(nn.Module):
    """The same model of torch's layers; `kind` says what the decoder sees of the encoder."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        peek = H if kind is byhand.PeekySeq2seq else 0
        more = 0 if kind is byhand.Seq2seq else H
        self.embeds = nn.ModuleList([nn.Embedding(V, D), nn.Embedding(V, D)])
        self.lstms = nn.ModuleList([nn.LSTM(D, H, batch_first=True), nn.LSTM(peek + D, H, batch_first=True)])
        self.affine = nn.Linear(more + H, V)

    def forward(self, questions, given):
        hs, (h, _) = self.lstms[0](self.embeds[0](questions))
        x, first = self.embeds[1](given), (h, torch.zeros_like(h))
        peek = h[0][:, None].expand(-1, given.shape[1], -1)
        if self.kind is byhand.PeekySeq2seq:
            return self.affine(torch.cat([peek, self.lstms[1](torch.cat([peek, x], 2), first)[0]], 2))
        own, _ = self.lstms[1](x, first)
        if self.kind is byhand.AttentionSeq2seq:
            own = torch.cat([F.scaled_dot_product_attention(own, hs, hs, scale=1.0), own], 2)
        return self.affine(own)


def as_torch(model, arrays):
    found = {"affine.weight": arrays["decoder.affine.W"].T, "affine.bias": arrays["decoder.affine.b"]}
    for index, part in enumerate(("encoder", "decoder")):
        found[f"embeds.{index}.weight"] = arrays[f"{part}.embed.W"]
        rows = layout("Deep Learning from Scratch 2", "TimeLSTM").read(
            part, *(arrays[f"{part}.lstm.{kind}"] for kind in ("Wx", "Wh", "b"))
        )
        found |= {f"lstms.{index}.{name}_l0": array for name, array in rows.items()}
    return {name: torch.from_numpy(np.array(array)) for name, array in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradients_are_those_of_torch(kind):
    random = np.random.default_rng(1)
    questions, answers = random.integers(0, V, (N, S)), random.integers(0, V, (N, T + 1))
    answers[0, 3:] = -1
    model = kind(V, D, H, dtype=np.float64)
    for param in model.params:
        param *= 5
    reference = Reference(kind).double()
    reference.load_state_dict(as_torch(model, model.named_params()))
    loss = model.forward(questions, answers)
    model.backward()
    scores = reference(torch.from_numpy(questions), torch.from_numpy(answers[:, :-1]).clamp(min=0))
    expected = F.cross_entropy(scores.flatten(0, 1), torch.from_numpy(answers[:, 1:]).flatten(), ignore_index=-1)
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-12)
    found, gradients = as_torch(model, model.named_grads()), dict(reference.named_parameters())
    assert found.keys() == gradients.keys()
    for name, gradient in found.items():
        if "bias_hh" not in name:
            torch.testing.assert_close(gradient, gradients[name].grad, atol=1e-10, rtol=0, msg=name)
            assert gradient.abs().max() > 1e-4, name


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_the_likeliest_step_by_step(kind):
    questions = np.random.default_rng(1).integers(0, V, (N, S))
    model = kind(V, D, H, dtype=np.float64, seed=3)
    reference = Reference(kind).double()
    reference.load_state_dict(as_torch(model, model.named_params()))
    written = model.generate(questions, 2, T)
    given = np.concatenate([np.full((N, 1), 2), written[:, :-1]], axis=1)
    scores = reference(torch.from_numpy(questions), torch.from_numpy(given))
    np.testing.assert_array_equal(written, scores.argmax(2).numpy())
    np.testing.assert_array_equal(model.generate(questions, 2, T), written)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_to_write_backwards(kind):
    """Three letters, in the other order."""
    letters = np.array([[a, b, c] for a in range(4) for b in range(4) for c in range(4)])
    answers = np.concatenate([np.full((64, 1), 4), letters[:, ::-1]], axis=1)
    model, adam = kind(5, 8, 24), byhand.Adam(0.01)
    for _ in range(250):
        model.forward(letters, answers)
        model.backward()
        byhand.clip_grads(model.grads, 5.0)
        adam.update(model.params, model.grads)
    assert (model.generate(letters, 4, 3) == letters[:, ::-1]).all(axis=1).mean() > 0.9
