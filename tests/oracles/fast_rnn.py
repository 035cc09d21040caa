"""FastRNN.

Paper: Aditya Kusupati, Manish Singh, Kush Bhatia, Ashish Kumar, Prateek Jain, Manik Varma (2018), "FastGRNN: A fast,
accurate, stable and tiny kilobyte sized gated recurrent neural network", arXiv:1901.02358, section 3:

    h~_t = tanh(W x_t + U h_{t-1} + b),  h_t = alpha h~_t + beta h_{t-1}

alpha and beta are the logistic function of trained numbers. b is the sum of bias_ih and bias_hh.
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def forward(x, p, state, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h,)."""
    H = len(p["weight_hh"])
    b = p.get("bias_ih", np.zeros(H)) + p.get("bias_hh", np.zeros(H))
    alpha, beta = sigm(p["alpha"][0]), sigm(p["beta"][0])

    def step(x_t, h):
        h = alpha * np.tanh(p["weight_ih"] @ x_t + p["weight_hh"] @ h + b) + beta * h
        return h, (h,)

    return over_time(step, x, state, H)
