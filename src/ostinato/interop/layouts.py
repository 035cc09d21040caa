"""How other programs lay out a recurrent layer's weights: order of gates, rule of biases. Data, read and written.

`LAYOUTS` says it once for every program and both directions: whoever reads a file of theirs calls `Layout.read`,
whoever writes one `Layout.write`. Our own layout is torch.nn's: `weight_ih [G*H, D]`, `weight_hh [G*H, H]`, and two
biases `[G*H]`, the gates in the order that the cell declares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

import ostinato.cells  # noqa: F401  registers them
from ostinato.core.errors import ConfigError, DataError
from ostinato.core.registry import lookup

Array: TypeAlias = npt.NDArray[np.float32]

#: How biases stand: "two" arrays; "one", added to the sum of both products; "rows" of one array [2, G*H], of the
#: input's and of the recurrent product; or these "joined" end to end, [2*G*H].
BiasRule: TypeAlias = Literal["two", "one", "rows", "joined"]


@dataclass(frozen=True)
class Layout:
    """One kind of layer of one program.

    Attributes:
        program: whose it is.
        layer: what it is called there.
        cell: ours with the same equations.
        gates: their order there, by the letters of our cell.
        bias: how biases stand.
        columns: gates are columns of `[D, G*H]`, multiplied from the right; else rows of `[G*H, D]`.
        joined: one matrix of the input's rows above the recurrent ones, `[D+H, G*H]`.
        folded: each gate's block is stored as cuDNN has it: transposed, the input's in the shape it had before.
        forget_bias: added to the forget gate's sum by the program, and not among the weights.
        opposite: gates that are one minus ours: their sums have the other sign.
    """

    program: str
    layer: str
    cell: str
    gates: tuple[str, ...]
    bias: BiasRule
    columns: bool = False
    joined: bool = False
    folded: bool = False
    forget_bias: float = 0.0
    opposite: tuple[str, ...] = ()

    def read(
        self, where: str, kernel: Array, recurrent: Array | None = None, bias: Array | None = None
    ) -> dict[str, Array]:
        """Their arrays as ours.

        Args:
            where: the layer, as a message begins.
            kernel: the input's matrix; where `joined`, the only one.
            recurrent: the state's, `[H, G*H]` or `[G*H, H]`; None where `joined`.
            bias: as the rule says, "two" as "rows"; None where there is none.

        Returns:
            `weight_ih`, `weight_hh`, and with a bias `bias_ih`, `bias_hh`.

        Raises:
            DataError: shapes that do not fit; names the layer and the shape.
        """
        if recurrent is None:
            kernel, recurrent = self._divided(where, kernel)
        w, r = (kernel.T, recurrent.T) if self.columns else (kernel, recurrent)
        G = len(self.gates)
        if w.ndim != 2 or r.ndim != 2 or len(w) != len(r) or not len(r) or len(r) % G:
            raise DataError(
                f"{where}: expected the matrices of {self.layer}, of {G} gates, got shapes {kernel.shape} and "
                f"{recurrent.shape}"
            )
        H = len(r) // G
        if self.folded:
            w, r = _unfolded(w, G), np.concatenate([block.T for block in np.split(r, G)])
        found = {"weight_ih": self._ours(w, H), "weight_hh": self._ours(r, H)}
        if bias is not None:
            ih, hh = self._biases(where, bias, G * H)
            found |= {"bias_ih": self._ours(ih, H), "bias_hh": self._ours(hh, H)}
            self._move_forget_bias(found["bias_ih"], H, 1)
        elif self.forget_bias:
            raise DataError(f"{where}: expected a bias beside the matrix of {self.layer}")
        return found

    def write(self, weights: Mapping[str, Array]) -> tuple[Array, Array | None, Array | None]:
        """Ours as theirs: what `read` takes, in its order.

        Raises:
            ConfigError: two biases that one cannot stand for.
        """
        H = len(weights["weight_ih"]) // len(self.gates)
        w, r = (self._theirs(weights[name], H) for name in ("weight_ih", "weight_hh"))
        bias = None
        if "bias_ih" in weights:
            ih, hh = weights["bias_ih"].copy(), weights["bias_hh"]
            self._move_forget_bias(ih, H, -1)
            bias = self._one_of(self._theirs(ih, H), self._theirs(hh, H))
        G = len(self.gates)
        if self.folded:
            w, r = _folded(w, G), np.concatenate([block.T for block in np.split(r, G)])
        kernel, recurrent = (np.ascontiguousarray(m.T if self.columns else m) for m in (w, r))
        if self.joined:
            return np.concatenate([kernel, recurrent]), None, bias
        return kernel, recurrent, bias

    def _divided(self, where: str, kernel: Array) -> tuple[Array, Array]:
        """The input's rows and the state's, of one matrix `[D+H, G*H]`."""
        if (
            kernel.ndim != 2
            or kernel.shape[1] % len(self.gates)
            or kernel.shape[0] <= kernel.shape[1] // len(self.gates)
        ):
            raise DataError(
                f"{where}: expected a matrix of {self.layer}, [D+H, {len(self.gates)}*H], got shape {kernel.shape}"
            )
        inputs = kernel.shape[0] - kernel.shape[1] // len(self.gates)
        return kernel[:inputs], kernel[inputs:]

    def _biases(self, where: str, bias: Array, rows: int) -> tuple[Array, Array]:
        expected = {"one": (rows,), "joined": (2 * rows,)}.get(self.bias, (2, rows))
        if bias.shape != expected:
            raise DataError(f"{where}: expected a bias of shape {expected}, got {bias.shape}")
        if self.bias == "one":
            return bias, np.zeros_like(bias)
        ih, hh = bias.reshape(2, rows)
        return ih, hh

    def _one_of(self, ih: Array, hh: Array) -> Array:
        if self.bias != "one":
            return np.concatenate([ih, hh]) if self.bias == "joined" else np.stack([ih, hh])
        if self.cell == "gru" and hh[-len(hh) // 3 :].any():
            raise ConfigError(
                f"{self.program} {self.layer}: has one bias, and the candidate has two that differ in effect"
            )
        return ih + hh

    def _ours(self, rows: Array, H: int) -> Array:
        return self._signed(_reordered(rows, H, self.gates, lookup(self.cell).gates), H, lookup(self.cell).gates)

    def _theirs(self, rows: Array, H: int) -> Array:
        return self._signed(_reordered(rows, H, lookup(self.cell).gates, self.gates), H, self.gates)

    def _signed(self, rows: Array, H: int, gates: tuple[str, ...]) -> Array:
        for gate in self.opposite:
            at = gates.index(gate) * H
            rows[at : at + H] *= -1
        return rows

    def _move_forget_bias(self, bias: Array, H: int, sign: int) -> None:
        if self.forget_bias:
            at = lookup(self.cell).gates.index("f") * H
            bias[at : at + H] += np.float32(sign * self.forget_bias)


LAYOUTS: tuple[Layout, ...] = (
    Layout("PyTorch", "RNN", "rnn", ("h",), "two"),
    Layout("PyTorch", "LSTM", "lstm", ("i", "f", "g", "o"), "two"),
    Layout("PyTorch", "GRU", "gru", ("r", "z", "n"), "two"),
    Layout("Keras", "SimpleRNN", "rnn", ("h",), "one", columns=True),
    Layout("Keras", "LSTM", "lstm", ("i", "f", "g", "o"), "one", columns=True),
    Layout("Keras", "GRU", "gru", ("z", "r", "n"), "rows", columns=True),
    Layout("Keras", "GRU, reset_after=False", "gru_reset_before", ("z", "r", "n"), "one", columns=True),
    Layout("Keras", "CuDNNLSTM", "lstm", ("i", "f", "g", "o"), "joined", columns=True, folded=True),
    Layout("Keras", "CuDNNGRU", "gru", ("z", "r", "n"), "joined", columns=True, folded=True),
    Layout("TensorFlow 1", "BasicRNNCell", "rnn", ("h",), "one", columns=True, joined=True),
    Layout(
        "TensorFlow 1", "BasicLSTMCell", "lstm", ("i", "g", "f", "o"), "one", columns=True, joined=True, forget_bias=1.0
    ),
    Layout("TensorFlow 1", "GRUCell", "gru_reset_before", ("r", "z", "n"), "one", columns=True, joined=True),
    Layout("ONNX", "RNN", "rnn", ("h",), "joined"),
    Layout("ONNX", "LSTM", "lstm", ("i", "o", "f", "g"), "joined"),
    Layout("ONNX", "LSTM with peepholes", "lstm_peephole", ("i", "o", "f", "g"), "joined"),
    Layout("ONNX", "GRU", "gru_reset_before", ("z", "r", "n"), "joined"),
    Layout("ONNX", "GRU, linear_before_reset=1", "gru", ("z", "r", "n"), "joined"),
    Layout("Deep Learning from Scratch 2", "TimeRNN", "rnn", ("h",), "one", columns=True),
    Layout("Deep Learning from Scratch 2", "TimeLSTM", "lstm", ("f", "g", "i", "o"), "one", columns=True),
    Layout(
        "Deep Learning from Scratch 2", "TimeGRU", "gru_reset_before", ("z", "r", "n"), "one", columns=True,
        opposite=("z",),
    ),
)  # fmt: skip


def layout(program: str, layer: str) -> Layout:
    """That of one program's layer."""
    return next(one for one in LAYOUTS if (one.program, one.layer) == (program, layer))


def _reordered(rows: Array, H: int, before: tuple[str, ...], after: tuple[str, ...]) -> Array:
    """Blocks of H rows in another order; always a copy of its own."""
    return np.concatenate([rows[before.index(gate) * H : (before.index(gate) + 1) * H] for gate in after])


def _unfolded(w: Array, G: int) -> Array:
    """CuDNN's input matrices `[G*H, D]`: each was `[H, D]` in memory where Keras stores `[D, H]`."""
    return np.concatenate([np.ascontiguousarray(block.T).reshape(block.shape) for block in np.split(w, G)])


def _folded(w: Array, G: int) -> Array:
    return np.concatenate([np.ascontiguousarray(block).reshape(block.shape[::-1]).T for block in np.split(w, G)])
