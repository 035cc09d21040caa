"""Multiplicative LSTM.

Paper: Ben Krause, Liang Lu, Iain Murray, Steve Renals (2017), "Multiplicative LSTM for sequence modelling",
arXiv:1609.07959, section 3:

    m_t = (W_mx x_t) * (W_mh h_{t-1})
    h^_t = W_hx x_t + W_hm m_t
    i_t = sigm(W_ix x_t + W_im m_t),  o_t = sigm(W_ox x_t + W_om m_t),  f_t = sigm(W_fx x_t + W_fm m_t)
    c_t = f_t * c_{t-1} + i_t * tanh(h^_t),  h_t = tanh(c_t) * o_t

Departure: biases of h^, i, o and f. Rows of weight_ih: m, i, f, h^, o; of weight_mh and bias_mh: i, f, h^, o;
weight_hh is W_mh.
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def forward(x, p, state, **_):
    """From x [T, N, D] and state (h [N, H], c [N, H]): outputs [T, N, H], (h, c)."""
    H = len(p["weight_hh"])
    W_mx, W_ix, W_fx, W_hx, W_ox = np.split(p["weight_ih"], 5)
    W_im, W_fm, W_hm, W_om = np.split(p["weight_mh"], 4)
    b_i, b_f, b_h, b_o = np.split(p.get("bias_mh", np.zeros(4 * H)), 4)

    def step(x_t, h, c):
        m = (W_mx @ x_t) * (p["weight_hh"] @ h)
        h_hat = W_hx @ x_t + W_hm @ m + b_h
        i = sigm(W_ix @ x_t + W_im @ m + b_i)
        o = sigm(W_ox @ x_t + W_om @ m + b_o)
        f = sigm(W_fx @ x_t + W_fm @ m + b_f)
        c = f * c + i * np.tanh(h_hat)
        h = np.tanh(c) * o
        return h, (h, c)

    return over_time(step, x, state, H)
