"""Layers of other programs, each transcribed from its own definition, on its own arrays: `[T, N, D] -> [T, N, H]`.

Sources: Keras' recurrent layers (keras/src/layers/rnn), TensorFlow 1's rnn_cell_impl.py, ONNX's Operators.md, and
Saitoh, "Deep Learning from Scratch 2", common/time_layers.py.
"""

from collections.abc import Callable

import numpy as np


def sigmoid(z):
    """1 / (1 + exp(-z))."""
    return 1.0 / (1.0 + np.exp(-z))


def _run(x, H, step: Callable, fields: int = 1, first=None):
    state = [np.zeros((x.shape[1], H)) for _ in range(fields)]
    if first is not None:
        state[0] = first
    outputs = []
    for x_t in x.astype(np.float64):
        state = step(x_t, *state)
        outputs.append(state[0])
    return np.stack(outputs)


def keras_simple_rnn(x, kernel, recurrent_kernel, bias):
    """H = tanh(x K + h R + b)."""
    return _run(x, len(recurrent_kernel), lambda x, h: [np.tanh(x @ kernel + h @ recurrent_kernel + bias)])


def keras_lstm(x, kernel, recurrent_kernel, bias):
    """z0, z1, z2, z3 = split(x K + h R + b): input, forget, candidate, output."""

    def step(x, h, c):
        z0, z1, z2, z3 = np.split(x @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        c = sigmoid(z1) * c + sigmoid(z0) * np.tanh(z2)
        return [sigmoid(z3) * np.tanh(c), c]

    return _run(x, len(recurrent_kernel), step, 2)


def keras_gru(x, kernel, recurrent_kernel, bias):
    """reset_after=True: two rows of biases; z, r, hh."""

    def step(x, h):
        x_z, x_r, x_h = np.split(x @ kernel + bias[0], 3, axis=1)
        r_z, r_r, r_h = np.split(h @ recurrent_kernel + bias[1], 3, axis=1)
        z, r = sigmoid(x_z + r_z), sigmoid(x_r + r_r)
        return [z * h + (1 - z) * np.tanh(x_h + r * r_h)]

    return _run(x, len(recurrent_kernel), step)


def keras_gru_reset_before(x, kernel, recurrent_kernel, bias):
    """reset_after=False."""
    H = len(recurrent_kernel)

    def step(x, h):
        x_z, x_r, x_h = np.split(x @ kernel + bias, 3, axis=1)
        z = sigmoid(x_z + h @ recurrent_kernel[:, :H])
        r = sigmoid(x_r + h @ recurrent_kernel[:, H : 2 * H])
        return [z * h + (1 - z) * np.tanh(x_h + (r * h) @ recurrent_kernel[:, 2 * H :])]

    return _run(x, H, step)


def tensorflow_basic_rnn(x, kernel, _, bias):
    """tanh([x, h] W + b)."""
    return _run(x, kernel.shape[1], lambda x, h: [np.tanh(np.hstack([x, h]) @ kernel + bias)])


def tensorflow_basic_lstm(x, kernel, _, bias, forget_bias=1.0):
    """i, j, f, o = split([x, h] W + b); the forget bias is added outside."""

    def step(x, h, c):
        i, j, f, o = np.split(np.hstack([x, h]) @ kernel + bias, 4, axis=1)
        c = c * sigmoid(f + forget_bias) + sigmoid(i) * np.tanh(j)
        return [np.tanh(c) * sigmoid(o), c]

    return _run(x, kernel.shape[1] // 4, step, 2)


def tensorflow_gru(x, kernel, _, bias):
    """r, u = split(sigmoid([x, h] W_g + b_g)); c = tanh([x, r h] W_c + b_c); both matrices side by side here."""
    H = kernel.shape[1] // 3

    def step(x, h):
        r, u = np.split(sigmoid(np.hstack([x, h]) @ kernel[:, : 2 * H] + bias[: 2 * H]), 2, axis=1)
        c = np.tanh(np.hstack([x, r * h]) @ kernel[:, 2 * H :] + bias[2 * H :])
        return [u * h + (1 - u) * c]

    return _run(x, H, step)


def onnx_rnn(x, W, R, B):
    """Ht = tanh(Xt Wi^T + Ht-1 Ri^T + Wbi + Rbi)."""
    Wb, Rb = np.split(B, 2)
    return _run(x, R.shape[1], lambda x, h: [np.tanh(x @ W.T + h @ R.T + Wb + Rb)])


def onnx_lstm(x, W, R, B, P=None):
    """W[iofc], R[iofc], B = Wb[iofc] and Rb[iofc], P[iof]."""
    Wb, Rb = np.split(B, 2)
    Pi, Po, Pf = np.split(P, 3) if P is not None else (0, 0, 0)

    def step(x, h, c):
        i, o, f, g = np.split(x @ W.T + h @ R.T + Wb + Rb, 4, axis=1)
        i, f = sigmoid(i + Pi * c), sigmoid(f + Pf * c)
        c = f * c + i * np.tanh(g)
        return [sigmoid(o + Po * c) * np.tanh(c), c]

    return _run(x, R.shape[1], step, 2)


def onnx_gru(x, W, R, B, linear_before_reset=0):
    """W[zrh], R[zrh], B = Wb[zrh] and Rb[zrh]."""
    H = R.shape[1]
    (Wbz, Wbr, Wbh), (Rbz, Rbr, Rbh) = (np.split(each, 3) for each in np.split(B, 2))

    def step(x, h):
        x_z, x_r, x_h = np.split(x @ W.T, 3, axis=1)
        z = sigmoid(x_z + h @ R[:H].T + Wbz + Rbz)
        r = sigmoid(x_r + h @ R[H : 2 * H].T + Wbr + Rbr)
        if linear_before_reset:
            n = np.tanh(x_h + r * (h @ R[2 * H :].T + Rbh) + Wbh)
        else:
            n = np.tanh(x_h + (r * h) @ R[2 * H :].T + Rbh + Wbh)
        return [(1 - z) * n + z * h]

    return _run(x, H, step)


def book_rnn(x, Wx, Wh, b):
    """h_next = tanh(h_prev Wh + x Wx + b)."""
    return _run(x, len(Wh), lambda x, h: [np.tanh(h @ Wh + x @ Wx + b)])


def book_lstm(x, Wx, Wh, b, h=None):
    """A = x Wx + h Wh + b, in f, g, i, o; it may begin with an h."""
    H = len(Wh)

    def step(x, h, c):
        A = x @ Wx + h @ Wh + b
        f, g, i, o = A[:, :H], A[:, H : 2 * H], A[:, 2 * H : 3 * H], A[:, 3 * H :]
        c = sigmoid(f) * c + np.tanh(g) * sigmoid(i)
        return [sigmoid(o) * np.tanh(c), c]

    return _run(x, H, step, 2, h)


def book_gru(x, Wx, Wh, b):
    """z, r, h~ in this order; h_next = (1 - z) h_prev + z h~, the opposite of everybody else's z."""
    H = len(Wh)

    def step(x, h):
        z = sigmoid(x @ Wx[:, :H] + h @ Wh[:, :H] + b[:H])
        r = sigmoid(x @ Wx[:, H : 2 * H] + h @ Wh[:, H : 2 * H] + b[H : 2 * H])
        h_hat = np.tanh(x @ Wx[:, 2 * H :] + (r * h) @ Wh[:, 2 * H :] + b[2 * H :])
        return [(1 - z) * h + z * h_hat]

    return _run(x, H, step)


def keras_cudnn_lstm(x, kernel, recurrent_kernel, bias):
    """As Keras' `preprocess_weights_for_loading` turns it into an LSTM, by its own words."""
    kernels = [_from_cudnn(block) for block in np.hsplit(kernel, 4)]
    recurrents = [block.T for block in np.hsplit(recurrent_kernel, 4)]
    return keras_lstm(x, np.hstack(kernels), np.hstack(recurrents), np.sum(np.split(bias, 2), axis=0))


def keras_cudnn_gru(x, kernel, recurrent_kernel, bias):
    """The same of a GRU, reset_after=True."""
    kernels = [_from_cudnn(block) for block in np.hsplit(kernel, 3)]
    recurrents = [block.T for block in np.hsplit(recurrent_kernel, 3)]
    return keras_gru(x, np.hstack(kernels), np.hstack(recurrents), bias.reshape(2, -1))


def _from_cudnn(kernel):
    return kernel.T.reshape(kernel.shape, order="F")


#: By program and layer, as `interop.layouts` calls them; PyTorch's is torch itself.
LAYERS = {
    ("Keras", "SimpleRNN"): keras_simple_rnn,
    ("Keras", "LSTM"): keras_lstm,
    ("Keras", "GRU"): keras_gru,
    ("Keras", "GRU, reset_after=False"): keras_gru_reset_before,
    ("Keras", "CuDNNLSTM"): keras_cudnn_lstm,
    ("Keras", "CuDNNGRU"): keras_cudnn_gru,
    ("TensorFlow 1", "BasicRNNCell"): tensorflow_basic_rnn,
    ("TensorFlow 1", "BasicLSTMCell"): tensorflow_basic_lstm,
    ("TensorFlow 1", "GRUCell"): tensorflow_gru,
    ("ONNX", "RNN"): onnx_rnn,
    ("ONNX", "LSTM"): onnx_lstm,
    ("ONNX", "GRU"): onnx_gru,
    ("ONNX", "GRU, linear_before_reset=1"): lambda *arrays: onnx_gru(*arrays, linear_before_reset=1),
    ("Deep Learning from Scratch 2", "TimeRNN"): book_rnn,
    ("Deep Learning from Scratch 2", "TimeLSTM"): book_lstm,
    ("Deep Learning from Scratch 2", "TimeGRU"): book_gru,
}
