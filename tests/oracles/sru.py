"""Simple recurrent unit.

Paper: Tao Lei, Yu Zhang, Sida I. Wang, Hui Dai, Yoav Artzi (2018), "Simple recurrent units for highly parallelizable
recurrence", arXiv:1709.02755, section 3:

    f_t = sigm(W_f x_t + v_f * c_{t-1} + b_f)                          (1)
    c_t = f_t * c_{t-1} + (1 - f_t) * (W x_t)                          (2)
    r_t = sigm(W_r x_t + v_r * c_{t-1} + b_r)                          (3)
    h_t = r_t * c_t + (1 - r_t) * x_t * alpha                          (4)

alpha = sqrt(1 + exp(b) * 2) of the initial bias b of r, here 0. Where x_t has another size than h_t, a fourth product
stands for alpha x_t. Rows of the stacked weights: the paper's plain W, f, r, and that fourth.
"""

import numpy as np

from tests.oracles._functions import over_time, scan, sigm


def forward(x, p, state, **_):
    """From x [T, N, D] and state (c [N, H],): outputs [T, N, H], (c,)."""
    H = len(p["weight_f"])
    W, W_f, W_r, W_h = (p["weight_ih"][k * H : (k + 1) * H] for k in range(4))
    b = p.get("bias_ih", np.zeros(2 * H))

    def step(x_t, c):
        f = sigm(W_f @ x_t + p["weight_f"] * c + b[:H])
        r = sigm(W_r @ x_t + p["weight_r"] * c + b[H:])
        c = f * c + (1.0 - f) * (W @ x_t)
        highway = W_h @ x_t if len(W_h) else x_t * np.sqrt(1.0 + np.exp(0.0) * 2.0)
        return r * c + (1.0 - r) * highway, (c,)

    return over_time(step, x, state, H)


def parallel(x, p, state):
    """All outputs at once where v is zero and H is D."""
    H = len(p["weight_f"])
    z, f, r = np.split(x @ p["weight_ih"].T, 3, axis=-1)
    f, r = sigm(f + p["bias_ih"][:H]), sigm(r + p["bias_ih"][H:])
    return r * scan(f, (1 - f) * z, state[0]) + (1 - r) * np.sqrt(3.0) * x
