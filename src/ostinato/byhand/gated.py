"""The two gated networks: LSTM and GRU."""

from typing import NamedTuple

import numpy as np

from ostinato.byhand.layers import Array, rows, sigmoid, times
from ostinato.byhand.simple import OneState, add_weights, before, begin


class StepLSTM(NamedTuple):
    """What a step of the LSTM leaves for its derivative, each `[N, H]`."""

    c_before: Array
    f: Array
    g: Array
    i: Array
    o: Array
    tanh_c: Array


class TimeLSTM:
    """The LSTM over T steps (Hochreiter, Schmidhuber 1997; forget gate by Gers et al. 2000).

        f, i, o = sigmoid(x_t Wx + h_{t-1} Wh + b)     what to keep, to write, to show: one block of columns each
        g       = tanh   (x_t Wx + h_{t-1} Wh + b)     what could be written
        c_t     = f * c_{t-1} + i * g
        h_t     = o * tanh(c_t)

    Look at the arrow from c_{t-1} to c_t: a product with f, entry by entry, and a sum. There is no matrix on it and no
    tanh, so where f is near 1 a gradient comes back through it as it went in, over hundreds of steps. The arrow from
    h_{t-1} to h_t has both, which shrink a gradient or blow it up at every step.

    Args:
        Wx: `[D, 4H]`, columns in the order f, g, i, o.
        Wh: `[H, 4H]`.
        b: `[4H]`.
        stateful: whether the next `forward` goes on where this one has ended; else each begins at zeros.

    Attributes:
        h, c: `[N, H]`, where the next `forward` begins; None begins at zeros.
        dh, dc: `[N, H]`, the gradient by the state that the last `forward` began with.
        dhs, dcs: `[N, T, H]`, the gradient by every h_t and c_t, for who wants to look.
    """

    names = ("Wx", "Wh", "b")

    def __init__(self, Wx: Array, Wh: Array, b: Array, stateful: bool = False) -> None:
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(p) for p in self.params]
        self.stateful = stateful
        self.h: Array | None = None
        self.c: Array | None = None

    def set_state(self, h: Array, c: Array | None = None) -> None:
        """Begin the next `forward` here, `[N, H]` each; without `c`, with empty cells."""
        self.h, self.c = h, c

    def reset_state(self) -> None:
        """Begin the next `forward` at zeros."""
        self.h = self.c = None

    def forward(self, x: Array) -> Array:
        """`[N, T, D]` -> every h_t, `[N, T, H]`."""
        Wx, Wh, b = self.params
        N, T, _ = x.shape
        H = len(Wh)
        h, c = begin(self.h, N, H, x), begin(self.c, N, H, x)
        self.x, self.h_first, self.steps = x, h, list[StepLSTM]()
        self.hs = np.empty((N, T, H), x.dtype)
        of_x = times(x, Wx) + b  # waits for nothing: all steps at once
        for t in range(T):
            h, c = self._step(of_x[:, t] + h @ Wh, c)
            self.hs[:, t] = h
        self.h, self.c = (h, c) if self.stateful else (None, None)
        return self.hs

    def backward(self, dy: Array) -> Array:
        """From the last step to the first: `[N, T, H]`, what the layer above sends back, -> `[N, T, D]`."""
        Wx, Wh, b = self.params
        self.dhs, self.dcs = np.empty_like(dy), np.empty_like(dy)
        da = np.empty((*dy.shape[:2], len(b)), dy.dtype)
        dh = dc = np.zeros_like(dy[:, 0])  # from the piece after this one comes nothing: here the gradient is cut
        for t in reversed(range(dy.shape[1])):
            s = self.steps[t]
            dh = dy[:, t] + dh  # both readers of h_t: the layer above, and the step after
            dc = dc + dh * s.o * (1 - s.tanh_c**2)  # both readers of c_t: the step after, and h_t
            self.dhs[:, t], self.dcs[:, t] = dh, dc
            da[:, t], dc = self._step_back(s, dh, dc)
            dh = da[:, t] @ Wh.T
        self.dh, self.dc = dh, dc
        add_weights(self.grads, self.x, before(self.hs, self.h_first), da)
        return times(da, Wx.T)

    def _step(self, a: Array, c: Array) -> tuple[Array, Array]:
        """One step: the gates' sums `[N, 4H]` and c_{t-1} to h_t and c_t."""
        f, g, i, o = np.split(a, 4, axis=1)
        f, g, i, o = sigmoid(f), np.tanh(g), sigmoid(i), sigmoid(o)
        c_now = f * c + i * g
        tanh_c = np.tanh(c_now)
        self.steps.append(StepLSTM(c, f, g, i, o, tanh_c))
        return o * tanh_c, c_now

    def _step_back(self, s: StepLSTM, dh: Array, dc: Array) -> tuple[Array, Array]:
        """The same step backwards: dL/dh_t and dL/dc_t to that by the gates' sums, and to what goes back to c_{t-1}.

        Of a sigmoid s the derivative is s (1 - s), of a tanh it is 1 - tanh^2.
        """
        df = dc * s.c_before * s.f * (1 - s.f)
        dg = dc * s.i * (1 - s.g**2)
        di = dc * s.g * s.i * (1 - s.i)
        do = dh * s.tanh_c * s.o * (1 - s.o)
        return np.concatenate([df, dg, di, do], axis=1), dc * s.f


class StepGRU(NamedTuple):
    """What a step of the GRU leaves for its derivative, each `[N, H]`."""

    h_before: Array
    z: Array
    r: Array
    g: Array


class TimeGRU(OneState):
    """The GRU over T steps (Cho et al. 2014, arXiv:1406.1078).

        z, r = sigmoid(x_t Wx + h_{t-1} Wh + b)           how much to renew, and what of the past to look at
        g    = tanh   (x_t Wx + (r * h_{t-1}) Wh + b)     what could be written
        h_t  = (1 - z) * h_{t-1} + z * g

    One gate does what the LSTM's f and i do together: what is not renewed is kept. There is no cell beside h. (torch
    multiplies with r after the product with Wh, and its z is 1 - z here.)

    Args:
        Wx: `[D, 3H]`, columns in the order z, r, g.
        Wh: `[H, 3H]`.
        b: `[3H]`.
        stateful: as of `TimeLSTM`.

    Attributes:
        h: `[N, H]`, where the next `forward` begins; None begins at zeros.
        dh: `[N, H]`, the gradient by the state that the last `forward` began with.
        dhs: `[N, T, H]`, the gradient by every h_t.
    """

    def forward(self, x: Array) -> Array:
        """`[N, T, D]` -> every h_t, `[N, T, H]`."""
        Wx, Wh, b = self.params
        N, T, _ = x.shape
        H = len(Wh)
        h = begin(self.h, N, H, x)
        self.x, self.steps = x, list[StepGRU]()
        hs = np.empty((N, T, H), x.dtype)
        of_x = times(x, Wx) + b
        for t in range(T):
            z, r = np.split(sigmoid(of_x[:, t, : 2 * H] + h @ Wh[:, : 2 * H]), 2, axis=1)
            g = np.tanh(of_x[:, t, 2 * H :] + (r * h) @ Wh[:, 2 * H :])
            self.steps.append(StepGRU(h, z, r, g))
            h = (1 - z) * h + z * g
            hs[:, t] = h
        self.h = h if self.stateful else None
        return hs

    def backward(self, dy: Array) -> Array:
        """`[N, T, H]` -> `[N, T, D]`."""
        Wx, _, b = self.params
        self.dhs, da = np.empty_like(dy), np.empty((*dy.shape[:2], len(b)), dy.dtype)
        dh = np.zeros_like(dy[:, 0])
        for t in reversed(range(dy.shape[1])):
            dh = dy[:, t] + dh
            self.dhs[:, t] = dh
            da[:, t], dh = self._step_back(self.steps[t], dh)
        self.dh = dh
        self._add_weights(da)
        return times(da, Wx.T)

    def _step_back(self, s: StepGRU, dh: Array) -> tuple[Array, Array]:
        """dL/dh_t to that by the gates' sums `[N, 3H]`, and to what goes back to h_{t-1}: by four ways."""
        Wh, H = self.params[1], len(self.params[1])
        dg = dh * s.z * (1 - s.g**2)
        d_reset = dg @ Wh[:, 2 * H :].T  # by r * h_{t-1}
        dz = dh * (s.g - s.h_before) * s.z * (1 - s.z)
        dr = d_reset * s.h_before * s.r * (1 - s.r)
        gates = np.concatenate([dz, dr], axis=1)
        return np.concatenate([gates, dg], axis=1), dh * (1 - s.z) + d_reset * s.r + gates @ Wh[:, : 2 * H].T

    def _add_weights(self, da: Array) -> None:
        (dWx, dWh, db), H = self.grads, len(self.params[1])
        h_before = np.stack([s.h_before for s in self.steps], axis=1)
        h_reset = np.stack([s.r * s.h_before for s in self.steps], axis=1)
        gates, candidate = rows(da[..., : 2 * H]), rows(da[..., 2 * H :])
        dWx += rows(self.x).T @ rows(da)
        dWh[:, : 2 * H] += rows(h_before).T @ gates
        dWh[:, 2 * H :] += rows(h_reset).T @ candidate
        db += rows(da).sum(axis=0)
