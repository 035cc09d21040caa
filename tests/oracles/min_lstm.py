"""minLSTM.

Paper: Leo Feng, Frederick Tung, Mohamed Osama Ahmed, Yoshua Bengio, Hossein Hajimirsadeghi (2024), "Were RNNs all we
needed?", arXiv:2410.01201, section 3.2; the positive candidate and the parallel form in log-space are appendix B's:

    f_t = sigm(Linear(x_t)),  i_t = sigm(Linear(x_t)),  h~_t = Linear(x_t) or g(Linear(x_t))
    f'_t = f_t / (f_t + i_t),  i'_t = i_t / (f_t + i_t),  h_t = f'_t * h_{t-1} + i'_t * h~_t
    g(v) = v + 0.5 where v >= 0, else sigm(v)

Rows of the stacked weights: f, i, h~.
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def _g(v):
    return np.array([v_i + 0.5 if v_i >= 0 else sigm(v_i) for v_i in v])


def forward(x, p, state, positive=True, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h,)."""
    H = len(p["weight_ih"]) // 3
    W, b = p["weight_ih"], p.get("bias_ih", np.zeros(3 * H))

    def step(x_t, h):
        f = sigm(W[:H] @ x_t + b[:H])
        i = sigm(W[H : 2 * H] @ x_t + b[H : 2 * H])
        candidate = W[2 * H :] @ x_t + b[2 * H :]
        h = f / (f + i) * h + i / (f + i) * (_g(candidate) if positive else candidate)
        return h, (h,)

    return over_time(step, x, state, H)


def parallel(x, p, state):
    """All outputs at once, in log-space; the state and the candidates positive."""
    f, i, v = np.split(x @ p["weight_ih"].T + p["bias_ih"], 3, axis=-1)
    difference = np.logaddexp(0, -f) - np.logaddexp(0, -i)
    log_f, log_i = -np.logaddexp(0, difference), -np.logaddexp(0, -difference)
    log_candidate = np.where(v >= 0, np.log(np.maximum(v, 0) + 0.5), -np.logaddexp(0, -v))
    products = np.cumsum(log_f, axis=0)
    values = np.concatenate([np.log(state[0])[None], log_i + log_candidate - products])
    return np.exp(products + np.logaddexp.accumulate(values, axis=0)[1:])
