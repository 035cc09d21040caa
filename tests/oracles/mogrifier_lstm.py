"""Mogrifier LSTM.

Paper: Gábor Melis, Tomáš Kočiský, Phil Blunsom (2020), "Mogrifier LSTM", arXiv:1909.01792, section 2:

    x^i = 2 sigm(Q^i h^{i-1}) * x^{i-2} for odd i,   h^i = 2 sigm(R^i x^{i-1}) * h^{i-2} for even i,
    x^{-1} = x_t,  h^0 = h_{t-1}; the last x and h go into an LSTM:

    i, f, o = sigm(W x + U h + b),  j = tanh(W x + U h + b),  c_t = f * c_{t-1} + i * j,  h_t = o * tanh(c_t)

Q and R of full rank. Rows of the stacked weights: i, f, j, o. Each b is the sum of bias_ih and bias_hh.
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def forward(x, p, state, rounds=5, **_):
    """From x [T, N, D] and state (h [N, H], c [N, H]): outputs [T, N, H], (h, c)."""
    H = p["weight_hh"].shape[1]
    b = p.get("bias_ih", np.zeros(4 * H)) + p.get("bias_hh", np.zeros(4 * H))

    def step(x_t, h, c):
        xs, hs = {-1: x_t}, {0: h}
        for i in range(1, rounds + 1):
            if i % 2 == 1:
                xs[i] = 2.0 * sigm(p[f"weight_q{i}"] @ hs[i - 1]) * xs[i - 2]
            else:
                hs[i] = 2.0 * sigm(p[f"weight_r{i}"] @ xs[i - 1]) * hs[i - 2]
        i, f, j, o = np.split(p["weight_ih"] @ xs[max(xs)] + p["weight_hh"] @ hs[max(hs)] + b, 4)
        c = sigm(f) * c + sigm(i) * np.tanh(j)
        h = sigm(o) * np.tanh(c)
        return h, (h, c)

    return over_time(step, x, state, H)
