"""minGRU.

Paper: Leo Feng, Frederick Tung, Mohamed Osama Ahmed, Yoshua Bengio, Hossein Hajimirsadeghi (2024), "Were RNNs all we
needed?", arXiv:2410.01201, section 3.1; the positive candidate and the parallel form in log-space are appendix B's:

    z_t = sigm(Linear(x_t)),  h~_t = Linear(x_t) or g(Linear(x_t)),  h_t = (1 - z_t) * h_{t-1} + z_t * h~_t
    g(v) = v + 0.5 where v >= 0, else sigm(v)

Rows of the stacked weights: z, h~.
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def _g(v):
    return np.array([v_i + 0.5 if v_i >= 0 else sigm(v_i) for v_i in v])


def forward(x, p, state, positive=True, **_):
    """From x [T, N, D] and state (h [N, H],): outputs [T, N, H], (h,)."""
    H = len(p["weight_ih"]) // 2
    b = p.get("bias_ih", np.zeros(2 * H))

    def step(x_t, h):
        z = sigm(p["weight_ih"][:H] @ x_t + b[:H])
        candidate = p["weight_ih"][H:] @ x_t + b[H:]
        h = (1.0 - z) * h + z * (_g(candidate) if positive else candidate)
        return h, (h,)

    return over_time(step, x, state, H)


def parallel(x, p, state):
    """All outputs at once, in log-space; the state and the candidates positive."""
    k, v = np.split(x @ p["weight_ih"].T + p["bias_ih"], 2, axis=-1)
    log_z, log_coefficients = -np.logaddexp(0, -k), -np.logaddexp(0, k)
    log_candidate = np.where(v >= 0, np.log(np.maximum(v, 0) + 0.5), -np.logaddexp(0, -v))
    products = np.cumsum(log_coefficients, axis=0)
    values = np.concatenate([np.log(state[0])[None], log_z + log_candidate - products])
    return np.exp(products + np.logaddexp.accumulate(values, axis=0)[1:])
