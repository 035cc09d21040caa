"""GRU with the reset gate applied after the recurrent product (torch.nn.GRU, cuDNN).

Paper: Kyunghyun Cho, Bart van Merriënboer, Caglar Gulcehre, Dzmitry Bahdanau, Fethi Bougares, Holger Schwenk, Yoshua
Bengio (2014), "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
arXiv:1406.1078. Resetting after the product is the form of its first arXiv version (v1); the published one (v3,
eqs. 5-8) resets before, see gru_reset_before. The equations, biases included, are torch.nn.GRU's:

    r_t = sigm(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    z_t = sigm(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = tanh(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}

Rows of the stacked weights: r, z, n. b_hn is inside the reset, so b_in and b_hn do not merge into one.
"""

import numpy as np

from tests.oracles._functions import bounded, squash


def forward(x, p, state, activation="tanh", recurrent_activation="sigmoid", clip=None, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h [N, H],)."""
    bound = bounded(clip)
    steps, batch, _features = x.shape
    H = p["weight_ih"].shape[0] // 3
    bias_ih = p.get("bias_ih", np.zeros(3 * H))
    bias_hh = p.get("bias_hh", np.zeros(3 * H))

    W_ir, W_hr = p["weight_ih"][0 * H : 1 * H], p["weight_hh"][0 * H : 1 * H]
    W_iz, W_hz = p["weight_ih"][1 * H : 2 * H], p["weight_hh"][1 * H : 2 * H]
    W_in, W_hn = p["weight_ih"][2 * H : 3 * H], p["weight_hh"][2 * H : 3 * H]

    b_ir, b_hr = bias_ih[0 * H : 1 * H], bias_hh[0 * H : 1 * H]
    b_iz, b_hz = bias_ih[1 * H : 2 * H], bias_hh[1 * H : 2 * H]
    b_in, b_hn = bias_ih[2 * H : 3 * H], bias_hh[2 * H : 3 * H]

    outputs = np.zeros((steps, batch, H))
    last_h = np.zeros((batch, H))
    for n in range(batch):
        h = state[0][n]
        for t in range(steps):
            x_t = x[t, n]
            r = squash(recurrent_activation, bound(W_ir @ x_t + b_ir + W_hr @ h + b_hr))
            z = squash(recurrent_activation, bound(W_iz @ x_t + b_iz + W_hz @ h + b_hz))
            new = squash(activation, bound(W_in @ x_t + b_in + r * (W_hn @ h + b_hn)))
            h = (1.0 - z) * new + z * h
            outputs[t, n] = h
        last_h[n] = h
    return outputs, (last_h,)
