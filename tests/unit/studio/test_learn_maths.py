"""What the pages of Learn compute as somebody looks on, compared with torch."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.unit.studio.node import evaluated, needs_node

pytestmark = needs_node
CLOSE = {"rtol": 1e-6, "atol": 1e-9}

PLAIN = """
const plain = (value) => {
  if (value && value.data && value.rows) {
    return Array.from({ length: value.rows }, (_, row) =>
      [...value.data.slice(row * value.columns, (row + 1) * value.columns)]);
  }
  if (ArrayBuffer.isView(value)) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
  }
  return value;
};
const give = (value) => console.log(JSON.stringify(plain(value)));
"""


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


def asked(there, imports, body, **values):
    return evaluated(there, "learn/maths", f"{imports}\n{PLAIN}\n//GIVEN\n{body}", **values)


def exact(values):
    return torch.tensor(values, dtype=torch.float64)


def rnn_of(weights):
    """Torch's layer and output layer with these weights."""
    w = {name: torch.tensor(value, dtype=torch.float64) for name, value in weights.items()}
    units, inputs = w["W_xh"].shape
    layer, out = nn.RNN(inputs, units).double(), nn.Linear(units, len(w["W_hy"])).double()
    with torch.no_grad():
        layer.weight_ih_l0.copy_(w["W_xh"])
        layer.weight_hh_l0.copy_(w["W_hh"])
        layer.bias_ih_l0.copy_(w["b_h"][:, 0])
        layer.bias_hh_l0.zero_()
        out.weight.copy_(w["W_hy"])
        out.bias.copy_(w["b_y"][:, 0])
    layer.bias_hh_l0.requires_grad_(False)
    return layer, out


def parameters_of(layer, out):
    tensors = (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, out.weight, out.bias)
    return dict(zip(("W_xh", "W_hh", "b_h", "W_hy", "b_y"), tensors, strict=True))


def compare(found, tensors):
    for name, tensor in tensors.items():
        wanted = tensor.detach().numpy()
        np.testing.assert_allclose(np.squeeze(found[name]), np.squeeze(wanted), err_msg=name, **CLOSE)


RNN = 'import { adam, backward, clip, createRnn, crossEntropy, forward, oneHot } from "./rnn.js";'


def test_hello_is_learned_as_torch_learns_it(there):
    """Scores, loss, gradients, and the weights after ten steps of Adam on clipped gradients."""
    found = asked(there, RNN, """
        const weights = createRnn(4, 8, 4, 3);
        const first = structuredClone(weights);
        const inputs = read.map((k) => oneHot(k, 4));
        const take = adam(weights, 0.03);
        const losses = [], norms = [];
        let run, gradients;
        for (let n = 0; n < 10; n++) {
          run = forward(weights, inputs);
          const error = crossEntropy(run.scores, wanted);
          gradients = backward(weights, run, error.gradients).gradients;
          losses.push(error.loss);
          norms.push(clip(gradients, 0.5));
          take(gradients);
        }
        give({ first, weights, losses, norms, gradients, scores: run.scores });
    """, read=[0, 1, 2, 2], wanted=[1, 2, 2, 3])  # fmt: skip
    layer, out = rnn_of(found["first"])
    inputs, targets = F.one_hot(torch.tensor([0, 1, 2, 2]), 4).double(), torch.tensor([1, 2, 2, 3])
    own = parameters_of(layer, out)
    optimiser = torch.optim.Adam(own.values(), lr=0.03)
    for loss, norm in zip(found["losses"], found["norms"], strict=True):
        scores = out(layer(inputs)[0])
        error = F.cross_entropy(scores, targets)
        optimiser.zero_grad()
        error.backward()
        assert loss == pytest.approx(float(error.detach()), rel=1e-6)
        assert norm == pytest.approx(float(nn.utils.clip_grad_norm_(list(own.values()), 0.5)), rel=1e-6)
        optimiser.step()
    np.testing.assert_allclose(found["scores"], scores.detach(), **CLOSE)
    for name, tensor in own.items():  # torch divides by the norm + 1e-6
        np.testing.assert_allclose(np.squeeze(found["gradients"][name]), tensor.grad, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(np.squeeze(found["weights"][name]), tensor.detach(), rtol=1e-5, atol=1e-7)


def test_it_learns_hello(there):
    losses = asked(there, RNN, """
        const weights = createRnn(4, 8, 4, 3), take = adam(weights, 0.03);
        const inputs = [0, 1, 2, 2].map((k) => oneHot(k, 4)), losses = [];
        for (let n = 0; n < 150; n++) {
          const run = forward(weights, inputs), error = crossEntropy(run.scores, [1, 2, 2, 3]);
          take(backward(weights, run, error.gradients).gradients);
          losses.push(error.loss);
        }
        give(losses);
    """)  # fmt: skip
    assert losses[0] > 1
    assert losses[-1] < 0.01


@pytest.mark.parametrize("length", [0, 1, 3])
def test_the_way_back_is_cut_as_detach_cuts_it(there, length):
    draw = np.random.default_rng(0)
    inputs, by_scores = draw.normal(size=(7, 2)).tolist(), draw.normal(size=(7, 3)).tolist()
    found = asked(there, RNN, """
        const weights = createRnn(2, 5, 3, 1), run = forward(weights, inputs, start);
        give({ weights, ...backward(weights, run, byScores, length) });
    """, inputs=inputs, byScores=by_scores, length=length, start=[0.1, -0.2, 0.3, 0.0, 0.5])  # fmt: skip
    layer, out = rnn_of(found["weights"])
    h, total, states = exact([[0.1, -0.2, 0.3, 0.0, 0.5]]), 0.0, []
    for t, (x, by) in enumerate(zip(inputs, by_scores, strict=True)):
        if length and t % length == 0:
            h = h.detach()
        _, h = layer(exact([x]), h)
        h.retain_grad()
        states.append(h)
        total = total + (out(h[0]) * exact(by)).sum()
    total.backward()
    compare(found["gradients"], {name: tensor.grad for name, tensor in parameters_of(layer, out).items()})
    np.testing.assert_allclose(found["along"], [h.grad[0].numpy() for h in states], **CLOSE)


def test_the_squared_error_is_torchs(there):
    draw = np.random.default_rng(1)
    scores, targets = draw.normal(size=(6, 1)), draw.normal(size=(6, 1))
    found = asked(there, 'import { squaredError } from "./rnn.js";', "give(squaredError(scores, targets, 2));",
                  scores=scores.tolist(), targets=targets.tolist())  # fmt: skip
    z = torch.tensor(scores, requires_grad=True)
    loss = F.mse_loss(z[2:], torch.tensor(targets)[2:])
    loss.backward()
    assert found["loss"] == pytest.approx(float(loss.detach()), rel=1e-6)
    np.testing.assert_allclose(found["gradients"], z.grad, **CLOSE)


LINEAR = 'import { orthogonal, spectralRadius } from "./linear.js";'


@pytest.mark.parametrize("seed", range(4))
def test_the_spectral_radius_is_that_of_the_eigenvalues(there, seed):
    """Those of random matrices are complex in pairs, so that no single product settles."""
    values = np.random.default_rng(seed).normal(size=(12, 12))
    found = asked(there, LINEAR, """
        const A = { rows: 12, columns: 12, data: Float64Array.from(values.flat()) };
        give({ radius: spectralRadius(A), Q: orthogonal(A) });
    """, values=values.tolist())  # fmt: skip
    assert found["radius"] == pytest.approx(np.abs(np.linalg.eigvals(values)).max(), rel=1e-6)
    Q = np.array(found["Q"])
    np.testing.assert_allclose(Q.T @ Q, np.eye(12), atol=1e-9)
    upright = np.linalg.qr(values)[0]
    np.testing.assert_allclose(np.abs(Q), np.abs(upright), atol=1e-9)


@pytest.mark.parametrize("squashed", [False, True])
def test_a_gradients_way_back_is_torchs(there, squashed):
    found = asked(there, """
        import { drivenStates, gradientBack, norms, recurrentMatrix } from "./vanishing.js";
        import { scaled } from "./linear.js";
    """, """
        const W = scaled(recurrentMatrix("random", 8, 5), 1.1);
        const states = squashed ? drivenStates(W, 20, 0.4, 2) : null;
        const gradients = gradientBack(W, states, 20);
        give({ W, states, gradients, norms: norms(gradients) });
    """, squashed=squashed)  # fmt: skip
    W = exact(found["W"])
    assert np.abs(np.linalg.eigvals(found["W"])).max() == pytest.approx(1.1, rel=1e-6)
    h = torch.zeros(8, dtype=torch.float64)
    states = []
    for t in range(20):
        if squashed:  # what drives the network is what its states say it was
            drive = torch.atanh(exact(found["states"][t])) - (W @ h).detach()
            h = torch.tanh(W @ h + drive)
        else:
            h = W @ h if t else torch.ones(8, dtype=torch.float64, requires_grad=True)
        h.requires_grad_() if not h.requires_grad else h.retain_grad()
        states.append(h)
    (h.sum() / 8**0.5).backward()
    gradients = np.array([h.grad.numpy() for h in states])
    np.testing.assert_allclose(found["gradients"], gradients, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found["norms"], np.linalg.norm(gradients, axis=1), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("w", "b"), [(3.0, -1.0), (4.45, -2.27), (6.0, 0.5)])
def test_the_cliffs_gradient_is_torchs(there, w, b):
    found = asked(there, 'import { cliff, descend } from "./cliff.js";', """
        give({ at: cliff(w, b), path: descend({ w, b }, 0.5, 0.1, 1) });
    """, w=w, b=b)  # fmt: skip
    weights = torch.tensor([w, b], dtype=torch.float64, requires_grad=True)
    h = torch.tensor(0.5, dtype=torch.float64)
    for _ in range(50):
        h = weights[0] * torch.sigmoid(h) + weights[1]
    loss = (torch.sigmoid(h) - 0.7) ** 2
    loss.backward()
    at = found["at"]
    assert at["loss"] == pytest.approx(float(loss.detach()), rel=1e-6)
    assert [at["byW"], at["byB"]] == pytest.approx(weights.grad.tolist(), rel=1e-6, abs=1e-12)
    nn.utils.clip_grad_norm_([weights], 0.1)
    after = (weights - 0.5 * weights.grad).tolist()
    assert [found["path"][1]["w"], found["path"][1]["b"]] == pytest.approx(after, rel=1e-5)


def test_gates_are_those_of_torchs_layers(there):
    draw = np.random.default_rng(2)
    inputs = draw.normal(size=9).tolist()

    def gate():
        return dict(zip("xhb", draw.normal(size=3).tolist(), strict=True))

    weights = {
        "lstm": {name: gate() for name in "ifgo"},
        "gru": {name: gate() for name in "rzn"},
        "simple": {"h": gate()},
    }
    found = asked(there, 'import { gru, lstm, simple } from "./gates.js";', """
        const { lstm: one, gru: two, simple: three } = weights;
        give({ lstm: lstm(one, inputs), gru: gru(two, inputs), simple: simple(three, inputs) });
    """, weights=weights, inputs=inputs)  # fmt: skip
    layers = {"lstm": nn.LSTM(1, 1), "gru": nn.GRU(1, 1), "simple": nn.RNN(1, 1)}
    for name, layer in layers.items():
        layer.double()
        gates = weights[name].values()
        with torch.no_grad():
            layer.weight_ih_l0.copy_(exact([[each["x"]] for each in gates]))
            layer.weight_hh_l0.copy_(exact([[each["h"]] for each in gates]))
            layer.bias_ih_l0.copy_(exact([each["b"] for each in gates]))
            layer.bias_hh_l0.zero_()
        output, final = layer(torch.tensor(inputs, dtype=torch.float64)[:, None])
        np.testing.assert_allclose([step["h"] for step in found[name]], output[:, 0].detach(), **CLOSE)
        if name == "lstm":
            assert found[name][-1]["c"] == pytest.approx(float(final[1]), rel=1e-6)


@pytest.mark.parametrize(("length", "keep"), [(4, True), (4, False), (12, True)])
def test_pieces_are_learned_as_torch_learns_them(there, length, keep):
    """The loss of a pass, and the gradient of its last piece."""
    found = asked(there, """
        import { createRnn } from "./rnn.js";
        import { pass, signs } from "./truncation.js";
        import { uniform } from "./random.js";
    """, """
        const weights = createRnn(1, 4, 1, 2), draw = uniform(5);
        const sequences = [signs(12, 3, draw), signs(12, 3, draw)];
        let last;
        const loss = pass(weights, sequences, 3, length, keep, (gradients) => (last = gradients));
        give({ weights, sequences, loss, last });
    """, length=length, keep=keep)  # fmt: skip
    layer, out = rnn_of(found["weights"])
    x = exact([one["inputs"] for one in found["sequences"]]).transpose(0, 1)
    wanted = torch.zeros_like(x)
    wanted[3:] = x[:-3]
    np.testing.assert_array_equal([one["targets"] for one in found["sequences"]], wanted.transpose(0, 1))
    own, state, errors = parameters_of(layer, out), None, []
    for begin in range(0, 12, length):
        output, state = layer(x[begin : begin + length], state.detach() if keep and state is not None else None)
        apart = (out(output) - wanted[begin : begin + length])[max(0, 3 - begin) :] ** 2
        for tensor in own.values():
            tensor.grad = None
        apart.mean().backward()
        errors += apart.flatten().tolist()
    assert len(errors) == 18
    assert found["loss"] == pytest.approx(np.mean(errors), rel=1e-6)
    compare(found["last"], {name: tensor.grad for name, tensor in own.items()})


def test_a_delay_is_learned_where_the_gradient_reaches_it(there):
    """Pieces of 8 steps reach 5 steps back, pieces of 4 do not; begun from zeros, the first 5 of 8 know nothing."""
    found = asked(there, 'import { learner } from "./truncation.js";', """
        const last = (options) => {
          const one = learner({ delay: 5, ...options });
          let loss;
          for (let n = 0; n < 120; n++) loss = one.step();
          return loss;
        };
        give([last({ length: 8, keep: true }), last({ length: 4, keep: true }), last({ length: 8, keep: false })]);
    """)  # fmt: skip
    assert found[0] < 0.05
    assert found[1] > 0.5
    assert 0.3 < found[2] < 0.8


def test_what_an_error_reaches_ends_where_the_way_back_is_cut(there):
    found = np.array(asked(there, """
        import { createRnn } from "./rnn.js";
        import { reach, signs } from "./truncation.js";
        import { uniform } from "./random.js";
    """, """
        const { inputs, targets } = signs(8, 2, uniform(1));
        give(reach(createRnn(1, 6, 1, 2), inputs, targets, 4));
    """))  # fmt: skip
    steps = np.arange(8)
    within = (steps[:, None] >= steps) & (steps[:, None] // 4 == steps // 4)
    assert ((found > 0) == within).all()
