"""The two simple recurrent networks: Elman's feeds back its hidden layer, Jordan's its output."""

import numpy as np

from ostinato.byhand.layers import Array, rows, times


class OneState:
    """Weights of a layer whose state is its h alone, and where the next `forward` begins."""

    names = ("Wx", "Wh", "b")

    def __init__(self, Wx: Array, Wh: Array, b: Array, stateful: bool = False) -> None:
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(p) for p in self.params]
        self.stateful = stateful
        self.h: Array | None = None

    def set_state(self, h: Array) -> None:
        """Begin the next `forward` here, `[N, H]`."""
        self.h = h

    def reset_state(self) -> None:
        """Begin the next `forward` at zeros."""
        self.h = None


class TimeRNN(OneState):
    """Elman's network over T steps (Elman 1990, Finding structure in time).

        h_t = tanh(x_t Wx + h_{t-1} Wh + b)

    Backwards, of a tanh the derivative is 1 - tanh^2, and so from step t to the one before a gradient is multiplied by
    that and by Wh. Hundred steps are hundred such products: it vanishes or explodes.

    Args:
        Wx: `[D, H]`.
        Wh: `[H, H]`.
        b: `[H]`.
        stateful: whether the next `forward` goes on where this one has ended; else each begins at zeros.

    Attributes:
        h: `[N, H]`, where the next `forward` begins; None begins at zeros.
        dh: `[N, H]`, the gradient by the state that the last `forward` began with.
        dhs: `[N, T, H]`, the gradient by every h_t, for who wants to look.
    """

    def forward(self, x: Array) -> Array:
        """`[N, T, D]` -> every h_t, `[N, T, H]`."""
        Wx, Wh, b = self.params
        N, T, _ = x.shape
        h = begin(self.h, N, len(Wh), x)
        self.x, self.h_first = x, h
        self.hs = np.empty((N, T, len(Wh)), x.dtype)
        of_x = times(x, Wx) + b  # waits for nothing: all steps at once
        for t in range(T):
            h = np.tanh(of_x[:, t] + h @ Wh)
            self.hs[:, t] = h
        self.h = h if self.stateful else None
        return self.hs

    def backward(self, dy: Array) -> Array:
        """From the last step to the first: `[N, T, H]`, what the layer above sends back, -> `[N, T, D]`."""
        Wx, Wh, _ = self.params
        self.dhs, da = np.empty_like(dy), np.empty_like(dy)
        dh = np.zeros_like(dy[:, 0])  # from the piece after this one comes nothing: here the gradient is cut
        for t in reversed(range(dy.shape[1])):
            dh = dy[:, t] + dh  # both readers of h_t: the layer above, and the step after
            self.dhs[:, t] = dh
            da[:, t] = dh * (1 - self.hs[:, t] ** 2)
            dh = da[:, t] @ Wh.T
        self.dh = dh
        add_weights(self.grads, self.x, before(self.hs, self.h_first), da)
        return times(da, Wx.T)


class TimeJordan:
    """Jordan's network over T steps (Jordan 1986): what is fed back is the output.

        h_t = tanh(x_t Wx + y_{t-1} Wh + b)
        y_t = tanh(h_t Wo + bo)

    Args:
        Wx: `[D, H]`.
        Wh: `[O, H]`, from the output before.
        b: `[H]`.
        Wo: `[H, O]`.
        bo: `[O]`.
        stateful: as of `TimeRNN`.

    Attributes:
        y: `[N, O]`, where the next `forward` begins; None begins at zeros.
        dh: `[N, O]`, the gradient by the state that the last `forward` began with.
        dhs: `[N, T, O]`, the gradient by every y_t.
    """

    names = ("Wx", "Wh", "b", "Wo", "bo")

    def __init__(self, Wx: Array, Wh: Array, b: Array, Wo: Array, bo: Array, stateful: bool = False) -> None:
        self.params = [Wx, Wh, b, Wo, bo]
        self.grads = [np.zeros_like(p) for p in self.params]
        self.stateful = stateful
        self.y: Array | None = None

    def set_state(self, y: Array) -> None:
        """Begin the next `forward` here, `[N, O]`."""
        self.y = y

    def reset_state(self) -> None:
        """Begin the next `forward` at zeros."""
        self.y = None

    def forward(self, x: Array) -> Array:
        """`[N, T, D]` -> every y_t, `[N, T, O]`."""
        Wx, Wh, b, Wo, bo = self.params
        N, T, _ = x.shape
        y = begin(self.y, N, len(Wh), x)
        self.x, self.y_first = x, y
        self.hs, self.ys = np.empty((N, T, len(b)), x.dtype), np.empty((N, T, len(bo)), x.dtype)
        of_x = times(x, Wx) + b
        for t in range(T):
            h = np.tanh(of_x[:, t] + y @ Wh)
            y = np.tanh(h @ Wo + bo)
            self.hs[:, t], self.ys[:, t] = h, y
        self.y = y if self.stateful else None
        return self.ys

    def backward(self, dy: Array) -> Array:
        """`[N, T, O]` -> `[N, T, D]`."""
        Wx, Wh, _, Wo, _ = self.params
        self.dhs, d_out, da = np.empty_like(dy), np.empty_like(dy), np.empty_like(self.hs)
        back = np.zeros_like(dy[:, 0])
        for t in reversed(range(dy.shape[1])):
            back = dy[:, t] + back
            self.dhs[:, t] = back
            d_out[:, t] = back * (1 - self.ys[:, t] ** 2)
            da[:, t] = (d_out[:, t] @ Wo.T) * (1 - self.hs[:, t] ** 2)
            back = da[:, t] @ Wh.T
        self.dh = back
        add_weights(self.grads[:3], self.x, before(self.ys, self.y_first), da)
        dWo, dbo = self.grads[3:]
        dWo += rows(self.hs).T @ rows(d_out)
        dbo += rows(d_out).sum(axis=0)
        return times(da, Wx.T)


def begin(state: Array | None, N: int, H: int, x: Array) -> Array:
    """The state to begin with; zeros where there is none.

    Raises:
        ValueError: a state of another shape, as where a batch is of another size than the one before.
    """
    if state is None:
        return np.zeros((N, H), x.dtype)
    if state.shape != (N, H):
        raise ValueError(f"expected a state of shape {(N, H)}, got {state.shape}: reset_state() begins with zeros")
    return state


def before(states: Array, first: Array) -> Array:
    """What each step began with: every state but the last `[N, T, H]`, behind the first `[N, H]`."""
    return np.concatenate([first[:, None], states[:, :-1]], axis=1)


def add_weights(grads: list[Array], x: Array, h_before: Array, da: Array) -> None:
    """Gradients by Wx, Wh and b, of a layer whose sums x_t Wx + h_{t-1} Wh + b have the gradients `da` [N, T, G*H].

    A product over all rows at once is the sum over the steps.
    """
    dWx, dWh, db = grads
    dWx += rows(x).T @ rows(da)
    dWh += rows(h_before).T @ rows(da)
    db += rows(da).sum(axis=0)
