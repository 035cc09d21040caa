"""JANET.

Paper: Jos van der Westhuizen, Joan Lasenby (2018), "The unreasonable effectiveness of the forget gate",
arXiv:1804.04849, the equations with beta, which is 1 there:

    s_t = U_f h_{t-1} + W_f x_t + b_f
    c~_t = tanh(U_c h_{t-1} + W_c x_t + b_c)
    c_t = sigm(s_t) * c_{t-1} + (1 - sigm(s_t - beta)) * c~_t
    h_t = c_t

Rows of the stacked weights: f, c. Each b is the sum of bias_ih and bias_hh.
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def forward(x, p, state, beta=1.0, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h,)."""
    H = p["weight_hh"].shape[1]
    b = p.get("bias_ih", np.zeros(2 * H)) + p.get("bias_hh", np.zeros(2 * H))
    W_f, U_f, b_f = p["weight_ih"][:H], p["weight_hh"][:H], b[:H]
    W_c, U_c, b_c = p["weight_ih"][H:], p["weight_hh"][H:], b[H:]

    def step(x_t, c):
        s = U_f @ c + W_f @ x_t + b_f
        candidate = np.tanh(U_c @ c + W_c @ x_t + b_c)
        c = sigm(s) * c + (1.0 - sigm(s - beta)) * candidate
        return c, (c,)

    return over_time(step, x, state, H)
