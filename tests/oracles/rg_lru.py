"""Real-gated linear recurrent unit.

Paper: Soham De, Samuel L. Smith, Anushan Fernando, Aleksandar Botev, George Cristian-Muraru, Albert Gu, Ruba Haroun,
Leonard Berrada, Yutian Chen, Srivatsan Srinivasan, Guillaume Desjardins, Arnaud Doucet, David Budden, Yee Whye Teh,
Razvan Pascanu, Nando De Freitas, Caglar Gulcehre (2024), "Griffin: Mixing gated linear recurrences with local attention
for efficient language models", arXiv:2402.19427, section 2.4:

    r_t = sigm(W_a x_t + b_a)                                          (1)
    i_t = sigm(W_x x_t + b_x)                                          (2)
    a_t = a^(c r_t),  a = sigm(Lambda),  c = 8                         (3)
    h_t = a_t * h_{t-1} + sqrt(1 - a_t^2) * (i_t * x_t)                (4)

Departure: a linear layer of x_t takes the place of x_t in (4). Rows of the stacked weights: r, i, and that layer's.
"""

import numpy as np

from tests.oracles._functions import over_time, scan, sigm


def forward(x, p, state, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h,)."""
    H = len(p["rate"])
    W, b, a = p["weight_ih"], p.get("bias_ih", np.zeros(3 * H)), sigm(p["rate"])

    def step(x_t, h):
        r = sigm(W[:H] @ x_t + b[:H])
        i = sigm(W[H : 2 * H] @ x_t + b[H : 2 * H])
        a_t = a ** (8.0 * r)
        h = a_t * h + np.sqrt(1.0 - a_t**2) * (i * (W[2 * H :] @ x_t + b[2 * H :]))
        return h, (h,)

    return over_time(step, x, state, H)


def parallel(x, p, state):
    """All outputs at once."""
    r, i, v = np.split(x @ p["weight_ih"].T + p["bias_ih"], 3, axis=-1)
    a = sigm(p["rate"]) ** (8 * sigm(r))
    return scan(a, np.sqrt(1 - a**2) * sigm(i) * v, state[0])
