"""Linear recurrent unit.

Paper: Antonio Orvieto, Samuel L. Smith, Albert Gu, Anushan Fernando, Caglar Gulcehre, Razvan Pascanu, Soham De (2023),
"Resurrecting recurrent neural networks for long sequences", arXiv:2303.06349, sections 3.2 to 3.4:

    x_k = Lambda x_{k-1} + exp(gamma_log) * (B u_k),    Lambda = diag(exp(-exp(nu_log) + i exp(theta_log)))
    y_k = Re(C x_k) + D u_k

weight_ih has the rows of Re B, Im B and D, weight_ring nu_log, theta_log and gamma_log, weight_ho Re C and Im C.
Departure: a bias beside D u_k. The state's third field is D u_k.
"""

import numpy as np

from tests.oracles._functions import over_time, scan


def _complex(p):
    re, im, D = np.split(p["weight_ih"], 3)
    nu_log, theta_log, gamma_log = p["weight_ring"]
    eigenvalues = np.exp(-np.exp(nu_log) + 1j * np.exp(theta_log))
    C_re, C_im = np.split(p["weight_ho"], 2)
    return eigenvalues, np.exp(gamma_log)[:, None] * (re + 1j * im), C_re + 1j * C_im, D


def forward(x, p, state, **_):
    """From u [T, N, D] and state (Re x, Im x, D u [N, H]): outputs [T, N, H], the same state."""
    eigenvalues, B, C, D = _complex(p)
    bias = p.get("bias_ho", 0.0)

    def step(u, re, im, _skip):
        hidden = eigenvalues * (re + 1j * im) + B @ u
        return (C @ hidden).real + D @ u + bias, (hidden.real, hidden.imag, D @ u)

    return over_time(step, x, state, len(D))


def parallel(x, p, state):
    """All outputs at once."""
    eigenvalues, B, C, D = _complex(p)
    driven = x @ B.T
    hidden = scan(np.broadcast_to(eigenvalues, driven.shape), driven, state[0] + 1j * state[1])
    return (hidden @ C.T).real + x @ D.T + p["bias_ho"]
