"""The language models, against the package's own and torch's automatic derivatives, in float64."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ostinato import byhand
from ostinato.core.batch import Batch
from ostinato.interop.layouts import layout
from ostinato.losses import sequence_cross_entropy
from ostinato.tasks.lm.model import LanguageModel

V, T, N = 11, 7, 3


def words(seed=0):
    return np.random.default_rng(seed).integers(0, V, (2, N, T))


def larger(model):
    """Weights for gates and derivatives that are not all alike."""
    for param in model.params:
        param *= 5
    return model


def by_torchs_names(arrays, tied):
    """Weights, or gradients, under the names of the package's own model."""
    found = {"embedding.weight": arrays["embed.W"], "decoder.bias": arrays["affine.b"]}
    if not tied:
        found["decoder.weight"] = arrays["affine.W"].T
    for index, name in enumerate(sorted({name.split(".")[0] for name in arrays if name.startswith("lstm")})):
        book, kinds = layout("Deep Learning from Scratch 2", "TimeLSTM"), ("Wx", "Wh", "b")
        one = book.read(name, *(arrays[f"{name}.{kind}"] for kind in kinds))
        found |= {f"recurrent.{kind}_l{index}": value for kind, value in one.items()}
    return {name: torch.from_numpy(np.array(value)) for name, value in found.items()}


def as_torch(model, sizes, tied):
    """The package's own model with the same weights."""
    weights = by_torchs_names(model.named_params(), tied)
    if tied:
        weights["decoder.weight"] = weights["embedding.weight"]
    E = weights["embedding.weight"].shape[1]
    ours = LanguageModel(V, E, sizes[0], len(sizes), tied=tied).double().eval()
    ours.load_state_dict(weights)
    return ours


def check(model, ours, tied):
    """Gradients of both are equal to the last digits."""
    expected = {name: p.grad for name, p in ours.named_parameters()}
    found = by_torchs_names(model.named_grads(), tied)
    assert len(found) == len(expected)
    for name, gradient in found.items():
        if not name.startswith("recurrent.bias_hh"):
            assert (gradient - expected[name]).abs().max() < 1e-10, name
            assert gradient.abs().max() > 1e-4, name


@pytest.mark.parametrize(("sizes", "tied"), [((5,), False), ((5,), True), ((5, 5), False), ((5, 5), True)])
def test_gradients_are_those_of_torch_piece_after_piece(sizes, tied):
    model = larger(byhand.LanguageModel(V, 5, sizes, tied=tied, dtype=np.float64))
    ours = as_torch(model, sizes, tied)
    state = None
    for seed in range(3):  # the state goes on, the gradient does not
        inputs, targets = words(seed)
        loss = model.forward(inputs, targets)
        model.backward()
        ours.zero_grad()
        output = ours(torch.from_numpy(inputs.T), state)
        expected = sequence_cross_entropy(output, Batch(torch.from_numpy(inputs.T), torch.from_numpy(targets.T)))
        expected.backward()
        state = tuple(field.detach() for field in output.state)
        assert loss == pytest.approx(expected.item(), abs=1e-12)
        check(model, ours, tied)
    model.reset_state()
    model.forward(*words(0))
    assert model.forward(*words(1)) != pytest.approx(loss, abs=1e-3)


def test_gradients_through_dropout_are_those_of_torch_with_the_same_masks():
    sizes = (5, 5)
    model = larger(byhand.BetterRnnlm(V, 5, 0.4, dtype=np.float64))
    inputs, targets = words()
    loss = model.forward(inputs, targets)
    model.backward()
    masks = [torch.from_numpy(drop.mask.swapaxes(0, 1).copy()) for drop in model.dropouts]
    ours = as_torch(model, sizes, tied=True)
    x = ours.embedding(torch.from_numpy(inputs.T)) * masks[0]
    for index in range(2):
        layer = nn.LSTM(5, 5).double()
        own = {n.removesuffix(f"_l{index}"): p for n, p in ours.recurrent.named_parameters() if n.endswith(str(index))}
        x = torch.func.functional_call(layer, {f"{n}_l0": p for n, p in own.items()}, (x,))[0] * masks[index + 1]
    expected = F.cross_entropy(ours.decoder(x).flatten(0, 1), torch.from_numpy(targets.T).flatten())
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-12)
    check(model, ours, tied=True)
    shares = [float((mask == 0).double().mean()) for mask in masks]
    assert 0.2 < np.mean(shares) < 0.6
    assert {float(value) for mask in masks for value in mask.unique()} == {0.0, 1 / 0.6}


def test_gradients_are_slopes():
    """Without torch: the loss a little to both sides of each of some weights."""
    model = larger(byhand.LanguageModel(V, 4, (6, 4), tied=True, dtype=np.float64))
    inputs, targets = words()

    def loss():
        model.reset_state()
        return model.forward(inputs, targets)

    loss()
    model.backward()
    gradients = [gradient.copy() for gradient in model.grads]
    for name, param, gradient in zip(model.names, model.params, gradients, strict=True):
        at = tuple(np.random.default_rng(1).integers(0, param.shape))
        kept, slope = param[at], 0.0
        for sign in (1, -1):
            param[at] = kept + sign * 1e-5
            slope += sign * loss() / 2e-5
        param[at] = kept
        assert slope == pytest.approx(gradient[at], abs=1e-9), name


def test_float32_stays_float32():
    model = byhand.BetterRnnlm(V, 4)
    model.forward(*words())
    model.backward()
    byhand.clip_grads(model.grads, 1e-4)
    byhand.Adam().update(model.params, model.grads)
    byhand.SGD(1.0).update(model.params, model.grads)
    assert {array.dtype for array in (*model.params, *model.grads)} == {np.dtype("f4")}
    assert model.predict(words()[0]).dtype == np.float32


def test_tied_weights_are_one_array():
    model = byhand.BetterRnnlm(V, 4)
    assert "affine.W" not in model.names
    assert np.shares_memory(model.affine.params[0], model.embed.params[0])
    assert np.shares_memory(model.affine.grads[0], model.embed.grads[0])
    with pytest.raises(ValueError, match="expected an embedding of 5, got 4"):
        byhand.LanguageModel(V, 4, (5,), tied=True)


def test_pieces_go_on_where_the_one_before_ended():
    (first, after), (second, _), *rest = byhand.pieces(np.arange(20 * 90 + 1), 20, 35)
    assert (after == first + 1).all()
    assert (second[:, 0] == after[:, -1]).all()
    assert (first[1] == first[0] + 90).all()
    assert not rest


def test_it_learns_and_writes_what_it_has_learned():
    """Words that follow one another in a ring leave nothing to guess."""
    model, adam = byhand.Rnnlm(7, 8, 16), byhand.Adam(0.01)
    for inputs, targets in byhand.pieces(np.arange(4 * 801) % 7, 4, 10):
        loss = model.forward(inputs, targets)
        model.backward()
        adam.update(model.params, model.grads)
    assert loss < 0.2
    assert model.generate([2, 3], 6, temperature=0) == [4, 5, 6, 0, 1, 2]
    assert model.generate([2], 20, seed=1) == model.generate([2], 20, seed=1)
    assert 3 not in model.generate([2], 20, skip=[3], seed=1)
    flat = [model.generate([2], 40, temperature=1e6, seed=seed) for seed in (1, 2)]
    assert flat[0] != flat[1]
    assert len(set(flat[0])) == 7


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors"])
@pytest.mark.parametrize("kind", [byhand.Rnnlm, byhand.BetterRnnlm, byhand.AttentionSeq2seq])
def test_weights_come_back_from_a_file(name, kind, tmp_path):
    sizes = (V, 4, 5) if kind is not byhand.BetterRnnlm else (V, 4)
    model, other = kind(*sizes, seed=1), kind(*sizes, seed=2)
    model.save_params(tmp_path / name)
    other.load_params(tmp_path / name)
    for own_name, param, theirs in zip(model.names, model.params, other.params, strict=True):
        np.testing.assert_array_equal(param, theirs, err_msg=own_name)
    wider = kind(V + 1, *sizes[1:])
    before = [param.copy() for param in wider.params]
    with pytest.raises(ValueError, match=r"expected .* of shape \(.*12.*\), got"):
        wider.load_params(tmp_path / name)
    assert all((param == kept).all() for param, kept in zip(wider.params, before, strict=True))


def test_a_pickle_is_not_opened(tmp_path):
    model = byhand.Rnnlm(V, 4, 5)
    np.savez(tmp_path / "w.npz", **{name: np.array([{}], dtype=object) for name in model.names})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        model.load_params(tmp_path / "w.npz")
