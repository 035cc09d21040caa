"""IndRNN.

Paper: Shuai Li, Wanqing Li, Chris Cook, Ce Zhu, Yanbo Gao (2018), "Independently recurrent neural network (IndRNN):
Building a longer and deeper RNN", arXiv:1803.04831, equation 2, the activation being ReLU:

    h_t = relu(W x_t + u * h_{t-1} + b)
"""

import numpy as np

from tests.oracles._functions import over_time


def forward(x, p, state, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h,)."""
    W, u = p["weight_ih"], p["weight_unit"]
    b = p.get("bias_ih", np.zeros(len(W)))

    def step(x_t, h):
        h = np.maximum(0.0, W @ x_t + u * h + b)
        return h, (h,)

    return over_time(step, x, state, len(W))
