"""LSTM with layer normalisation.

Paper: Jimmy Lei Ba, Jamie Ryan Kiros, Geoffrey E. Hinton (2016), "Layer normalization", arXiv:1607.06450,
supplementary material, eqs. 15-16 (LN) and 20-22 (LSTM):

    LN(z; alpha, beta) = (z - mu) / sigma * alpha + beta                                             (15)
    mu = mean(z), sigma = sqrt(mean((z - mu)^2))                                                     (16)
    (f_t, i_t, o_t, g_t) = LN(W_h h_{t-1}; alpha_1, beta_1) + LN(W_x x_t; alpha_2, beta_2) + b       (20)
    c_t = sigm(f_t) * c_{t-1} + sigm(i_t) * tanh(g_t)                                                (21)
    h_t = sigm(o_t) * tanh(LN(c_t; alpha_3, beta_3))                                                 (22)

The first two LN run over the whole vector of 4H summed inputs, not gate by gate; the carried c_t is the one before
LN. alpha_1 = norm_hh, beta_1 = bias_hh, alpha_2 = norm_ih, beta_2 = bias_ih, alpha_3 = norm_c, beta_3 = shift_c.
Departures: rows are stacked i, f, g, o (mu and sigma do not see the order); b, which the two betas make superfluous,
is left out; sigma is sqrt(var + 1e-5), the paper having no epsilon.
"""

import math

import numpy as np


def _sigm(z):
    return 1.0 / (1.0 + np.exp(-z))


def _layer_norm(z, alpha, beta):
    mu = sum(z) / len(z)
    variance = sum((z_i - mu) ** 2 for z_i in z) / len(z)
    sigma = math.sqrt(variance + 1e-5)
    return np.array([(z[k] - mu) / sigma * alpha[k] + beta[k] for k in range(len(z))])


def forward(x, p, state, **_):
    """From x [T, N, D] and state (h [N, H], c [N, H]): outputs [T, N, H], (h, c)."""
    steps, batch, _features = x.shape
    H = p["weight_ih"].shape[0] // 4

    W_xi, W_hi = p["weight_ih"][0 * H : 1 * H], p["weight_hh"][0 * H : 1 * H]
    W_xf, W_hf = p["weight_ih"][1 * H : 2 * H], p["weight_hh"][1 * H : 2 * H]
    W_xg, W_hg = p["weight_ih"][2 * H : 3 * H], p["weight_hh"][2 * H : 3 * H]
    W_xo, W_ho = p["weight_ih"][3 * H : 4 * H], p["weight_hh"][3 * H : 4 * H]

    alpha_1, beta_1 = p["norm_hh"], p.get("bias_hh", np.zeros(4 * H))
    alpha_2, beta_2 = p["norm_ih"], p.get("bias_ih", np.zeros(4 * H))
    alpha_3, beta_3 = p["norm_c"], p.get("shift_c", np.zeros(H))

    outputs = np.zeros((steps, batch, H))
    last_h = np.zeros((batch, H))
    last_c = np.zeros((batch, H))
    for n in range(batch):
        h = state[0][n]
        c = state[1][n]
        for t in range(steps):
            x_t = x[t, n]
            from_h = _layer_norm(np.concatenate([W_hi @ h, W_hf @ h, W_hg @ h, W_ho @ h]), alpha_1, beta_1)
            from_x = _layer_norm(np.concatenate([W_xi @ x_t, W_xf @ x_t, W_xg @ x_t, W_xo @ x_t]), alpha_2, beta_2)
            i = from_h[0 * H : 1 * H] + from_x[0 * H : 1 * H]
            f = from_h[1 * H : 2 * H] + from_x[1 * H : 2 * H]
            g = from_h[2 * H : 3 * H] + from_x[2 * H : 3 * H]
            o = from_h[3 * H : 4 * H] + from_x[3 * H : 4 * H]
            c = _sigm(f) * c + _sigm(i) * np.tanh(g)
            h = _sigm(o) * np.tanh(_layer_norm(c, alpha_3, beta_3))
            outputs[t, n] = h
        last_h[n] = h
        last_c[n] = c
    return outputs, (last_h, last_c)
