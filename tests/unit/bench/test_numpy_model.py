"""The derivatives written out in NumPy, against torch's automatic ones and against differences."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ostinato.bench.language import numpy_model
from ostinato.core.batch import Batch
from ostinato.losses import sequence_cross_entropy
from ostinato.tasks.lm.model import LanguageModel

V, T, N = 11, 7, 3


def words(seed=0):
    return np.random.default_rng(seed).integers(0, V, (2, T, N))


def rnnlm(*arguments, **options):
    """A model with weights large enough for gates and derivatives that are not all alike."""
    model = numpy_model.Rnnlm(V, *arguments, **options)
    for param in model.parameters().values():
        param *= 5
    return model


def as_torch(model, sizes, tied):
    """The package's own model with the same weights."""
    p = {name: torch.from_numpy(array.copy()) for name, array in model.parameters().items()}
    E = p["embedding.weight"].shape[1]
    ours = LanguageModel(V, E, sizes[0], len(sizes), tied=tied).double().eval()
    weights = {"embedding.weight": p["embedding.weight"], "decoder.bias": p["decoder.bias"]}
    weights["decoder.weight"] = p["embedding.weight"] if tied else p["decoder.weight"]
    for index in range(len(sizes)):
        weights |= {f"recurrent.{kind}_l{index}": p[f"lstm{index}.{kind}"] for kind in ("weight_ih", "weight_hh")}
        bias = p[f"lstm{index}.bias"]
        weights |= {f"recurrent.bias_ih_l{index}": bias, f"recurrent.bias_hh_l{index}": torch.zeros_like(bias)}
    ours.load_state_dict(weights)
    return ours


def check(model, ours, tied):
    """Gradients of both are equal to the last digits."""
    own, found = {name: p.grad for name, p in ours.named_parameters()}, model.gradients()
    assert ("decoder.weight" in found) != tied
    for name, gradient in found.items():
        layer, _, kind = name.partition(".")
        if layer.startswith("lstm"):
            expected = own[f"recurrent.{'bias_ih' if kind == 'bias' else kind}_l{layer[4:]}"]
        else:
            expected = own[name]
        assert np.abs(gradient - expected.numpy()).max() < 1e-10, name
        assert np.abs(gradient).max() > 1e-4, name


@pytest.mark.parametrize(("sizes", "tied"), [((5,), False), ((5,), True), ((5, 5), False), ((5, 5), True)])
def test_gradients_are_those_of_torch_piece_after_piece(sizes, tied):
    model = rnnlm(5, sizes, tied=tied, dtype=np.float64)
    ours = as_torch(model, sizes, tied)
    state = None
    for seed in range(3):  # the state goes on, the gradient does not
        inputs, targets = words(seed)
        loss = model.forward(inputs, targets)
        model.backward()
        ours.zero_grad()
        output = ours(torch.from_numpy(inputs), state)
        expected = sequence_cross_entropy(output, Batch(torch.from_numpy(inputs), torch.from_numpy(targets)))
        expected.backward()
        state = tuple(field.detach() for field in output.state)
        assert loss == pytest.approx(expected.item(), abs=1e-12)
        check(model, ours, tied)
    model.reset_state()
    model.forward(*words(0))
    assert model.forward(*words(1)) != pytest.approx(loss, abs=1e-3)


def test_gradients_through_dropout_are_those_of_torch_with_the_same_masks():
    sizes = (5, 5)
    model = rnnlm(5, sizes, dropout=0.4, tied=True, dtype=np.float64)
    inputs, targets = words()
    loss = model.forward(inputs, targets)
    model.backward()
    masks = [torch.from_numpy(drop.mask) for drop in model.dropouts]
    ours = as_torch(model, sizes, tied=True)
    x = ours.embedding(torch.from_numpy(inputs)) * masks[0]
    for index in range(2):
        layer = torch.nn.LSTM(5, 5).double()
        own = {n.removesuffix(f"_l{index}"): p for n, p in ours.recurrent.named_parameters() if n.endswith(str(index))}
        x = torch.func.functional_call(layer, {f"{n}_l0": p for n, p in own.items()}, (x,))[0] * masks[index + 1]
    expected = F.cross_entropy(ours.decoder(x).flatten(0, 1), torch.from_numpy(targets).flatten())
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-12)
    check(model, ours, tied=True)
    shares = [float((mask == 0).double().mean()) for mask in masks]
    assert 0.2 < np.mean(shares) < 0.6
    assert {float(value) for mask in masks for value in mask.unique()} == {0.0, 1 / 0.6}


def test_gradients_are_slopes():
    """Without torch: the loss a little to both sides of each of some weights."""
    model = rnnlm(4, (6, 4), tied=True, dtype=np.float64)
    inputs, targets = words()

    def loss():
        model.reset_state()
        return model.forward(inputs, targets)

    loss()
    model.backward()
    gradients = {name: gradient.copy() for name, gradient in model.gradients().items()}
    for name, param in model.parameters().items():
        at = tuple(np.random.default_rng(1).integers(0, param.shape))
        kept, slope = param[at], 0.0
        for sign in (1, -1):
            param[at] = kept + sign * 1e-5
            slope += sign * loss() / 2e-5
        param[at] = kept
        assert slope == pytest.approx(gradients[name][at], abs=1e-9), name


def test_who_watches_sees_the_gradient_by_each_state():
    model = rnnlm(4, (6,), dtype=np.float64)
    inputs, targets = words()
    lstm = model.lstms[0]
    model.forward(inputs, targets)
    x = torch.from_numpy(lstm.x)
    layer = torch.nn.LSTMCell(4, 6).double()
    names = {"weight_ih": "weight_ih", "weight_hh": "weight_hh", "bias_ih": "bias"}
    own = {name: torch.from_numpy(lstm.params[source]) for name, source in names.items()}
    layer.load_state_dict(own | {"bias_hh": torch.zeros(24, dtype=torch.float64)})
    h = c = torch.zeros(N, 6, dtype=torch.float64)
    states, upstream = [], torch.randn(N, 6, dtype=torch.float64)
    for step in x:
        h, c = layer(step, (h, c))
        h.retain_grad()
        c.retain_grad()
        states.append((h, c))
    (h * upstream).sum().backward()
    dy = np.zeros((T, N, 6))
    dy[-1] = upstream.numpy()
    seen = []
    lstm.backward(dy, watch=lambda t, dh, dc: seen.append((t, dh, dc)))
    assert [t for t, _, _ in seen] == list(reversed(range(T)))
    for (_, dh, dc), (h, c) in zip(seen, reversed(states), strict=True):
        np.testing.assert_allclose(dh, h.grad.numpy(), atol=1e-12)
        np.testing.assert_allclose(dc, c.grad.numpy(), atol=1e-12)


def test_a_long_gradient_is_cut():
    params = {"a": np.ones(2), "b": np.ones(1)}
    grads = {"a": np.array([3.0, 0.0]), "b": np.array([4.0])}
    assert numpy_model.SGD(0.1, clip=1.0).update(params, grads) == 5.0
    np.testing.assert_allclose(params["a"], [1 - 0.06, 1.0])
    np.testing.assert_allclose(params["b"], [1 - 0.08])
    numpy_model.SGD(0.1, clip=0.0).update(params, grads)
    np.testing.assert_allclose(params["b"], [1 - 0.48])


def test_float32_stays_float32():
    model = rnnlm(4, (6, 4), tied=True, dropout=0.5)
    model.forward(*words())
    model.backward()
    numpy_model.SGD(1.0, 0.25).update(model.parameters(), model.gradients())
    assert {array.dtype for array in (*model.parameters().values(), *model.gradients().values())} == {np.dtype("f4")}
    assert model.predict(words()[0]).dtype == np.float32
