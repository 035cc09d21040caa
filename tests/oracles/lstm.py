"""LSTM with forget gate, without peepholes, with an optional projection of the output.

Papers: Sepp Hochreiter, Jürgen Schmidhuber (1997), "Long short-term memory", Neural Computation 9(8), 1735-1780,
doi:10.1162/neco.1997.9.8.1735. Forget gate: Felix A. Gers, Jürgen Schmidhuber, Fred Cummins (2000), "Learning to
forget: continual prediction with LSTM", Neural Computation 12(10), 2451-2471, doi:10.1162/089976600300015015.
Projection: Haşim Sak, Andrew Senior, Françoise Beaufays (2014), "Long short-term memory based recurrent neural
network architectures for large vocabulary speech recognition", arXiv:1402.1128, r_t = W_rm m_t.

    i_t = sigm(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)
    f_t = sigm(W_if x_t + b_if + W_hf h_{t-1} + b_hf)
    g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
    o_t = sigm(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
    c_t = f_t * c_{t-1} + i_t * g_t
    m_t = o_t * tanh(c_t)
    h_t = m_t, or W_hr m_t where there is a projection

Rows of the stacked weights: i, f, g, o. The equations are torch.nn.LSTM's. The 1997 paper has no f (f = 1) and
other ranges of the squashing functions (g in (-2, 2)); Sak's LSTMP has peepholes besides, and may add a second,
non-recurrent projection. torch has neither, so neither is here. The projection has no bias.
"""

import numpy as np

from tests.oracles._functions import bounded, squash


def forward(x, p, state, activation="tanh", recurrent_activation="sigmoid", clip=None, **_):
    """From x [T, N, D] and state (h [N, H or P], c [N, H]): outputs [T, N, H or P], (h, c)."""
    bound = bounded(clip)
    steps, batch, _features = x.shape
    H = p["weight_ih"].shape[0] // 4
    bias_ih = p.get("bias_ih", np.zeros(4 * H))
    bias_hh = p.get("bias_hh", np.zeros(4 * H))

    W_ii = p["weight_ih"][0 * H : 1 * H]
    W_if = p["weight_ih"][1 * H : 2 * H]
    W_ig = p["weight_ih"][2 * H : 3 * H]
    W_io = p["weight_ih"][3 * H : 4 * H]

    W_hi = p["weight_hh"][0 * H : 1 * H]
    W_hf = p["weight_hh"][1 * H : 2 * H]
    W_hg = p["weight_hh"][2 * H : 3 * H]
    W_ho = p["weight_hh"][3 * H : 4 * H]

    b_ii, b_hi = bias_ih[0 * H : 1 * H], bias_hh[0 * H : 1 * H]
    b_if, b_hf = bias_ih[1 * H : 2 * H], bias_hh[1 * H : 2 * H]
    b_ig, b_hg = bias_ih[2 * H : 3 * H], bias_hh[2 * H : 3 * H]
    b_io, b_ho = bias_ih[3 * H : 4 * H], bias_hh[3 * H : 4 * H]

    out = p["weight_hr"].shape[0] if "weight_hr" in p else H
    outputs = np.zeros((steps, batch, out))
    last_h = np.zeros((batch, out))
    last_c = np.zeros((batch, H))
    for n in range(batch):
        h = state[0][n]
        c = state[1][n]
        for t in range(steps):
            x_t = x[t, n]
            i = squash(recurrent_activation, bound(W_ii @ x_t + b_ii + W_hi @ h + b_hi))
            f = squash(recurrent_activation, bound(W_if @ x_t + b_if + W_hf @ h + b_hf))
            g = squash(activation, bound(W_ig @ x_t + b_ig + W_hg @ h + b_hg))
            o = squash(recurrent_activation, bound(W_io @ x_t + b_io + W_ho @ h + b_ho))
            c = f * c + i * g
            m = o * squash(activation, c)
            h = p["weight_hr"] @ m if "weight_hr" in p else m
            outputs[t, n] = h
        last_h[n] = h
        last_c[n] = c
    return outputs, (last_h, last_c)
