"""GRU with the reset gate applied before the recurrent product, as published.

Paper: Kyunghyun Cho, Bart van Merriënboer, Caglar Gulcehre, Dzmitry Bahdanau, Fethi Bougares, Holger Schwenk, Yoshua
Bengio (2014), "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
EMNLP 2014, arXiv:1406.1078v3, eqs. 5-8:

    r = sigm(W_r x + U_r h_{t-1})                 (5)
    z = sigm(W_z x + U_z h_{t-1})                 (6)
    h_t = z * h_{t-1} + (1 - z) * h~_t            (7)
    h~_t = tanh(W x + U (r * h_{t-1}))            (8)

The paper leaves out the biases; here each of the three sums also gets both bias_ih and bias_hh, the latter outside
the reset. Rows of the stacked weights: r, z, n (the paper's h~). Same map as Keras' GRU with reset_after=False.
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

    W_r, U_r = p["weight_ih"][0 * H : 1 * H], p["weight_hh"][0 * H : 1 * H]
    W_z, U_z = p["weight_ih"][1 * H : 2 * H], p["weight_hh"][1 * H : 2 * H]
    W_n, U_n = p["weight_ih"][2 * H : 3 * H], p["weight_hh"][2 * H : 3 * H]

    b_r = bias_ih[0 * H : 1 * H] + bias_hh[0 * H : 1 * H]
    b_z = bias_ih[1 * H : 2 * H] + bias_hh[1 * H : 2 * H]
    b_n = bias_ih[2 * H : 3 * H] + bias_hh[2 * H : 3 * H]

    outputs = np.zeros((steps, batch, H))
    last_h = np.zeros((batch, H))
    for n in range(batch):
        h = state[0][n]
        for t in range(steps):
            x_t = x[t, n]
            r = squash(recurrent_activation, bound(W_r @ x_t + U_r @ h + b_r))
            z = squash(recurrent_activation, bound(W_z @ x_t + U_z @ h + b_z))
            candidate = squash(activation, bound(W_n @ x_t + U_n @ (r * h) + b_n))
            h = z * h + (1.0 - z) * candidate
            outputs[t, n] = h
        last_h[n] = h
    return outputs, (last_h,)
