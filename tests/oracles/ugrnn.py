"""Update gate RNN.

Paper: Jasmine Collins, Jascha Sohl-Dickstein, David Sussillo (2017), "Capacity and trainability in recurrent neural
networks", arXiv:1611.09913:

    c_t = tanh(W_ch h_{t-1} + W_cx x_t + b_c)
    g_t = sigm(W_gh h_{t-1} + W_gx x_t + b_g)
    h_t = g_t * h_{t-1} + (1 - g_t) * c_t

Rows of the stacked weights: c, g. Each b is the sum of bias_ih and bias_hh; the constant that the paper adds to b_g
is left to the bias.
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def forward(x, p, state, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h,)."""
    H = p["weight_hh"].shape[1]
    b = p.get("bias_ih", np.zeros(2 * H)) + p.get("bias_hh", np.zeros(2 * H))
    W_cx, W_ch, b_c = p["weight_ih"][:H], p["weight_hh"][:H], b[:H]
    W_gx, W_gh, b_g = p["weight_ih"][H:], p["weight_hh"][H:], b[H:]

    def step(x_t, h):
        c = np.tanh(W_ch @ h + W_cx @ x_t + b_c)
        g = sigm(W_gh @ h + W_gx @ x_t + b_g)
        h = g * h + (1.0 - g) * c
        return h, (h,)

    return over_time(step, x, state, H)
