"""sLSTM.

Paper: Maximilian Beck, Korbinian Pöppel, Markus Spanring, Andreas Auer, Oleksandra Prudnikova, Michael Kopp, Günter
Klambauer, Johannes Brandstetter, Sepp Hochreiter (2024), "xLSTM: Extended long short-term memory", arXiv:2405.04517,
section 2.2:

    c_t = f_t c_{t-1} + i_t z_t,  n_t = f_t n_{t-1} + i_t,  h_t = o_t c_t / n_t                  (8 to 10)
    z_t = tanh(z~),  i_t = exp(i~),  f_t = sigm(f~) or exp(f~),  o_t = sigm(o~)                  (11 to 14)
    m_t = max(log f_t + m_{t-1}, log i_t),  i'_t = exp(log i_t - m_t),  f'_t = exp(log f_t + m_{t-1} - m_t)   (15 to 17)

with i' and f' in place of i and f; each ~ is w x_t + r h_{t-1} + b, r between units of one head only. Rows of the
stacked weights: i, f, z, o; weight_heads [gate, head, to, from].
"""

import numpy as np

from tests.oracles._functions import over_time, sigm


def forward(x, p, state, heads=1, exponential_forget=False, **_):
    """From x [T, N, D] and state (h, c, n, m [N, H]): outputs [T, N, H], the same state."""
    H = len(p["weight_ih"]) // 4
    b = p.get("bias_ih", np.zeros(4 * H))
    size = H // heads
    R = np.zeros((4, H, H))
    for gate in range(4):
        for head in range(heads):
            own = slice(head * size, (head + 1) * size)
            R[gate, own, own] = p["weight_heads"][gate, head]

    def step(x_t, h, c, n, m):
        i, f, z, o = (p["weight_ih"][g * H : (g + 1) * H] @ x_t + R[g] @ h + b[g * H : (g + 1) * H] for g in range(4))
        log_f = f if exponential_forget else np.log(sigm(f))
        new_m = np.maximum(log_f + m, i)
        i, f = np.exp(i - new_m), np.exp(log_f + m - new_m)
        c = f * c + i * np.tanh(z)
        n = f * n + i
        h = sigm(o) * c / n
        return h, (h, c, n, new_m)

    return over_time(step, x, state, H)
