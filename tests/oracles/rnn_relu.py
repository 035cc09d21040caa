"""Simple recurrent network of rectified linear units.

Paper: Quoc V. Le, Navdeep Jaitly, Geoffrey E. Hinton (2015), "A Simple Way to Initialize Recurrent Networks of
Rectified Linear Units", arXiv:1504.00941. No numbered equation: the network is Elman's (1990) with ReLU units.

    h_t = max(0, W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

The paper's point is the start (W_hh = identity, biases zero), which is initialisation and not part of this map.
"""

import numpy as np


def forward(x, p, state, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h [N, H],)."""
    steps, batch, _features = x.shape
    hidden = p["weight_ih"].shape[0]

    W_ih = p["weight_ih"]
    W_hh = p["weight_hh"]
    b_ih = p.get("bias_ih", np.zeros(hidden))
    b_hh = p.get("bias_hh", np.zeros(hidden))

    outputs = np.zeros((steps, batch, hidden))
    last_h = np.zeros((batch, hidden))
    for n in range(batch):
        h = state[0][n]
        for t in range(steps):
            h = np.maximum(0.0, W_ih @ x[t, n] + b_ih + W_hh @ h + b_hh)
            outputs[t, n] = h
        last_h[n] = h
    return outputs, (last_h,)
