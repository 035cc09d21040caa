"""Simple recurrent network (Elman network) with tanh.

Paper: Jeffrey L. Elman (1990), "Finding structure in time", Cognitive Science 14(2), 179-211,
doi:10.1207/s15516709cog1402_1. The paper draws the network (figure 2) and numbers no equations.

    h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

The paper's units are logistic, with values in (0, 1), and its context units copy the hidden ones; tanh and the
two biases are torch.nn.RNN's, and that is what is transcribed here.
"""

import numpy as np

from tests.oracles._functions import bounded, squash


def forward(x, p, state, activation="tanh", clip=None, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h [N, H],)."""
    bound = bounded(clip)
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
            h = squash(activation, bound(W_ih @ x[t, n] + b_ih + W_hh @ h + b_hh))
            outputs[t, n] = h
        last_h[n] = h
    return outputs, (last_h,)
