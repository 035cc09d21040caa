"""Jordan network: the previous output, not the previous hidden layer, is fed back.

Paper: Michael I. Jordan (1986), "Serial order: a parallel distributed processing approach", ICS Report 8604,
University of California, San Diego; reprinted 1997 in Advances in Psychology 121, 471-495,
doi:10.1016/S0166-4115(97)80111-2.

    h_t = tanh(W_ih x_t + b_ih + W_hh y_{t-1} + b_hh)
    y_t = tanh(W_ho h_t + b_ho)

A simplification of the paper: its state units also feed back on themselves and hold a decaying trace of the
outputs, s_t = mu s_{t-1} + y_{t-1}; here mu = 0, so s_t = y_{t-1}. Its units are logistic, here tanh.
The final state is y after the last step; the output is y.
"""

import numpy as np


def forward(x, p, state, **_):
    """From x [T, N, D] and state (y [N, O],): outputs [T, N, O], (y [N, O],)."""
    steps, batch, _features = x.shape
    hidden = p["weight_ih"].shape[0]
    out = p["weight_ho"].shape[0]

    W_ih = p["weight_ih"]  # [H, D]
    W_hh = p["weight_hh"]  # [H, O]
    W_ho = p["weight_ho"]  # [O, H]
    b_ih = p.get("bias_ih", np.zeros(hidden))
    b_hh = p.get("bias_hh", np.zeros(hidden))
    b_ho = p.get("bias_ho", np.zeros(out))

    outputs = np.zeros((steps, batch, out))
    last_y = np.zeros((batch, out))
    for n in range(batch):
        y = state[0][n]
        for t in range(steps):
            h = np.tanh(W_ih @ x[t, n] + b_ih + W_hh @ y + b_hh)
            y = np.tanh(W_ho @ h + b_ho)
            outputs[t, n] = y
        last_y[n] = y
    return outputs, (last_y,)
