"""FastGRNN.

Paper: Aditya Kusupati, Manish Singh, Kush Bhatia, Ashish Kumar, Prateek Jain, Manik Varma (2018), "FastGRNN: A fast,
accurate, stable and tiny kilobyte sized gated recurrent neural network", arXiv:1901.02358, section 3:

    z_t = sigm(W x_t + U h_{t-1} + b_z),  h~_t = tanh(W x_t + U h_{t-1} + b_h)
    h_t = (zeta (1 - z_t) + nu) * h~_t + z_t * h_{t-1}

zeta and nu are the logistic function of trained numbers. bias_ih is b_z, then b_h. W and U of full rank.
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def forward(x, p, state, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h,)."""
    H = len(p["weight_hh"])
    b_z, b_h = np.split(p.get("bias_ih", np.zeros(2 * H)), 2)
    zeta, nu = sigm(p["zeta"][0]), sigm(p["nu"][0])

    def step(x_t, h):
        z = sigm(p["weight_ih"] @ x_t + p["weight_hh"] @ h + b_z)
        candidate = np.tanh(p["weight_ih"] @ x_t + p["weight_hh"] @ h + b_h)
        h = (zeta * (1.0 - z) + nu) * candidate + z * h
        return h, (h,)

    return over_time(step, x, state, H)
