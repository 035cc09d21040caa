"""Quasi-recurrent network with fo-pooling.

Paper: James Bradbury, Stephen Merity, Caiming Xiong, Richard Socher (2017), "Quasi-recurrent neural networks",
arXiv:1611.01576, section 2, a kernel of width 2:

    z_t = tanh(W_z^1 x_{t-1} + W_z^2 x_t)
    f_t = sigm(W_f^1 x_{t-1} + W_f^2 x_t)
    o_t = sigm(W_o^1 x_{t-1} + W_o^2 x_t)
    c_t = f_t * c_{t-1} + (1 - f_t) * z_t                              (4)
    h_t = o_t * c_t

weight_ih is W^2, weight_before W^1, rows z, f, o; departure: a bias. The state keeps W^1 x_{t-1} rather than x_{t-1}.
"""

import numpy as np

from tests.oracles._functions import over_time, scan, sigm


def forward(x, p, state, **_):
    """From x [T, N, D] and state (c [N, H], W^1 x [N, 3H]): outputs [T, N, H], (c, W^1 x)."""
    H = len(p["weight_ih"]) // 3
    b = p.get("bias_ih", np.zeros(3 * H))
    before = p.get("weight_before")

    def step(x_t, c, carried):
        rows = p["weight_ih"] @ x_t + b + (0.0 if before is None else carried)
        z, f, o = np.tanh(rows[:H]), sigm(rows[H : 2 * H]), sigm(rows[2 * H :])
        c = f * c + (1.0 - f) * z
        return o * c, (c, carried if before is None else before @ x_t)

    return over_time(step, x, state, H)


def parallel(x, p, state):
    """All outputs at once: the convolution over the whole sequence, then the pooling."""
    convolved = x @ p["weight_ih"].T + p["bias_ih"]
    convolved[0] += state[1]
    convolved[1:] += x[:-1] @ p["weight_before"].T
    z, f, o = np.split(convolved, 3, axis=-1)
    f = sigm(f)
    return sigm(o) * scan(f, (1 - f) * np.tanh(z), state[0])
