"""Minimal gated unit.

Paper: Guo-Bing Zhou, Jianxin Wu, Chen-Lin Zhang, Zhi-Hua Zhou (2016), "Minimal gated unit for recurrent neural
networks", arXiv:1603.09420, table 1:

    f_t = sigm(W_f [h_{t-1}, x_t] + b_f)
    h~_t = tanh(W_h [f_t * h_{t-1}, x_t] + b_h)
    h_t = (1 - f_t) * h_{t-1} + f_t * h~_t

Rows of the stacked weights: f, h~. Each b is the sum of bias_ih and bias_hh.
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def forward(x, p, state, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h,)."""
    H = p["weight_hh"].shape[1]
    b = p.get("bias_ih", np.zeros(2 * H)) + p.get("bias_hh", np.zeros(2 * H))
    W_f = np.concatenate([p["weight_hh"][:H], p["weight_ih"][:H]], axis=1)
    W_h = np.concatenate([p["weight_hh"][H:], p["weight_ih"][H:]], axis=1)

    def step(x_t, h):
        f = sigm(W_f @ np.concatenate([h, x_t]) + b[:H])
        candidate = np.tanh(W_h @ np.concatenate([f * h, x_t]) + b[H:])
        h = (1.0 - f) * h + f * candidate
        return h, (h,)

    return over_time(step, x, state, H)
