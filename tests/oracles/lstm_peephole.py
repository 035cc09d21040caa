"""LSTM with diagonal peephole connections from the cell to the gates.

Papers: Felix A. Gers, Nicol N. Schraudolph, Jürgen Schmidhuber (2002), "Learning precise timing with LSTM recurrent
networks", Journal of Machine Learning Research 3, 115-143. Equations here: Alex Graves (2013), "Generating sequences
with recurrent neural networks", arXiv:1308.0850, eqs. 7-11:

    i_t = sigm(W_xi x_t + W_hi h_{t-1} + w_ci * c_{t-1} + b_i)           (7)
    f_t = sigm(W_xf x_t + W_hf h_{t-1} + w_cf * c_{t-1} + b_f)           (8)
    c_t = f_t * c_{t-1} + i_t * tanh(W_xc x_t + W_hc h_{t-1} + b_c)      (9)
    o_t = sigm(W_xo x_t + W_ho h_{t-1} + w_co * c_t + b_o)               (10)
    h_t = o_t * tanh(c_t)                                                (11)

i and f see the old cell, o the new one; W_c. is diagonal, so a vector. Rows of the stacked weights: i, f, g (the
paper's c), o. Each b_. is the sum of the two biases torch keeps, bias_ih and bias_hh. Gers et al. describe the same
peepholes, but let the cell out without the last tanh; this is Graves's form.
"""

import numpy as np

from tests.oracles._functions import bounded, squash


def forward(x, p, state, activation="tanh", recurrent_activation="sigmoid", clip=None, **_):
    """From x [T, N, D] and state (h [N, H], c [N, H]): outputs [T, N, H], (h, c)."""
    bound = bounded(clip)
    steps, batch, _features = x.shape
    H = p["weight_ih"].shape[0] // 4
    bias_ih = p.get("bias_ih", np.zeros(4 * H))
    bias_hh = p.get("bias_hh", np.zeros(4 * H))

    W_xi = p["weight_ih"][0 * H : 1 * H]
    W_xf = p["weight_ih"][1 * H : 2 * H]
    W_xc = p["weight_ih"][2 * H : 3 * H]
    W_xo = p["weight_ih"][3 * H : 4 * H]

    W_hi = p["weight_hh"][0 * H : 1 * H]
    W_hf = p["weight_hh"][1 * H : 2 * H]
    W_hc = p["weight_hh"][2 * H : 3 * H]
    W_ho = p["weight_hh"][3 * H : 4 * H]

    b_i = bias_ih[0 * H : 1 * H] + bias_hh[0 * H : 1 * H]
    b_f = bias_ih[1 * H : 2 * H] + bias_hh[1 * H : 2 * H]
    b_c = bias_ih[2 * H : 3 * H] + bias_hh[2 * H : 3 * H]
    b_o = bias_ih[3 * H : 4 * H] + bias_hh[3 * H : 4 * H]

    w_ci = p["weight_ci"]
    w_cf = p["weight_cf"]
    w_co = p["weight_co"]

    outputs = np.zeros((steps, batch, H))
    last_h = np.zeros((batch, H))
    last_c = np.zeros((batch, H))
    for n in range(batch):
        h = state[0][n]
        c = state[1][n]
        for t in range(steps):
            x_t = x[t, n]
            i = squash(recurrent_activation, bound(W_xi @ x_t + W_hi @ h + w_ci * c + b_i))
            f = squash(recurrent_activation, bound(W_xf @ x_t + W_hf @ h + w_cf * c + b_f))
            c = f * c + i * squash(activation, bound(W_xc @ x_t + W_hc @ h + b_c))
            o = squash(recurrent_activation, bound(W_xo @ x_t + W_ho @ h + w_co * c + b_o))
            h = o * squash(activation, c)
            outputs[t, n] = h
        last_h[n] = h
        last_c[n] = c
    return outputs, (last_h, last_c)
