"""LSTM with coupled input and forget gate.

Paper: Klaus Greff, Rupesh Kumar Srivastava, Jan Koutník, Bas R. Steunebrink, Jürgen Schmidhuber (2017), "LSTM: A search
space odyssey", arXiv:1503.04069, the vanilla LSTM's equations with the variant CIFG, f_t = 1 - i_t:

    z_t = tanh(W_z x_t + R_z y_{t-1} + b_z)
    i_t = sigm(W_i x_t + R_i y_{t-1} + b_i)
    c_t = z_t * i_t + c_{t-1} * (1 - i_t)
    o_t = sigm(W_o x_t + R_o y_{t-1} + b_o)
    y_t = tanh(c_t) * o_t

Departure: no peepholes. Rows of the stacked weights: i, z, o. Each b is the sum of bias_ih and bias_hh.
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def forward(x, p, state, **_):
    """From x [T, N, D] and state (y [N, H], c [N, H]): outputs [T, N, H], (y, c)."""
    H = p["weight_hh"].shape[1]
    b = p.get("bias_ih", np.zeros(3 * H)) + p.get("bias_hh", np.zeros(3 * H))
    W, R = p["weight_ih"], p["weight_hh"]

    def step(x_t, y, c):
        i = sigm(W[:H] @ x_t + R[:H] @ y + b[:H])
        z = np.tanh(W[H : 2 * H] @ x_t + R[H : 2 * H] @ y + b[H : 2 * H])
        o = sigm(W[2 * H :] @ x_t + R[2 * H :] @ y + b[2 * H :])
        c = z * i + c * (1.0 - i)
        y = np.tanh(c) * o
        return y, (y, c)

    return over_time(step, x, state, H)
