"""A layer fed one time step at a time, its weights packed once."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from ostinato import kernels
from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.core.errors import ConfigError, TensorError
from ostinato.core.torch_private import own_parameters, version
from ostinato.kernels import steps
from ostinato.kernels.eight_bits import INT8
from ostinato.layers import eight_bits, shapes
from ostinato.layers.stack import Stack


class Layer(Protocol):
    """What a stream needs of a layer: a `Recurrent` has it."""

    cells: tuple[Cell, ...]
    bidirectional: bool
    reverse: bool
    zoneout: float
    named_state: bool
    weights: str

    @property
    def stack(self) -> Stack:
        """Its cells, and the form of their state."""

    @property
    def output_size(self) -> int:
        """Features of an output."""

    def initial_state(self, batch_size: int) -> Any:
        """Each field `[L, N, ...]`."""


class Stream:
    """Steps of a layer, for inference: made by `Recurrent.stream`.

    It computes what the layer computes in evaluation, and keeps no graph. Kernels run it where they have the cell, the
    package's own or compiled ones: what they read of the weights is then made once, and again when a parameter has
    changed (an optimiser's step, `load_state_dict`, another tensor in its place; a write through `.data` cannot be
    seen: call `refresh`). Otherwise it calls the cell's `step`. Several streams of one layer may run in several
    threads, each in one.

    Args:
        layer: the layer, of one direction.
        batch_size: N.
        weights: what the weights are; by default, at each `refresh`, the layer's own `weights`.

    Attributes:
        batch_size: N.
        reason: why it runs on the reference; empty where kernels do it.
        independent: whether a sequence's numbers are the same, to the last bit, whatever is read beside it. They are
            where kernels do all of it.

    Raises:
        ConfigError: a layer that reads from the end, in one direction or both, a batch size below 0, or weights that
            there are not, or not of its cells.
    """

    def __init__(self, layer: Layer, batch_size: int, weights: str | None = None) -> None:
        if layer.bidirectional:
            raise ConfigError(
                "a bidirectional layer reads each sequence to its end before the first output: it cannot stream; "
                "make the layer with bidirectional=False"
            )
        if layer.reverse:
            raise ConfigError("a layer that reads from the end begins with what comes last: it cannot stream")
        if not isinstance(batch_size, int) or batch_size < 0:
            raise ConfigError(f"batch_size: expected a whole number of at least 0, got {batch_size!r}")
        if weights is not None:
            eight_bits.check(layer.cells, weights)
        self._layer, self.batch_size, self._rows, self._weights = layer, batch_size, batch_size, weights
        self._names = [[f"{name}_l{index}" for name in cell.parameters()] for index, cell in enumerate(layer.cells)]
        self.reason = ""
        self._packed: list[Any] = []
        self._take: steps.Take
        self._x_shape: tuple[int, int]
        self._out_shape: tuple[int, int]
        self.refresh()

    def step(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """Take a step.

        Args:
            x: `[N, D]`, of the layer's dtype, on its device.
            out: `[N, O]`, dense, to be overwritten; then nothing is allocated. By default a fresh tensor.

        Returns:
            The outputs of the last layer, `[N, O]`.

        Raises:
            TensorError: an `x` or `out` that does not fit, with what was expected.
        """
        if self._stamp() != self._packed:
            self.refresh()
        like = self._like
        if x.shape != self._x_shape or x.dtype is not like.dtype or x.device != like.device:
            raise TensorError(_expected("x", x, self._x_shape, like))
        x = kernels.resolved(x if x.is_contiguous() else x.contiguous())
        if out is None:
            out = torch.empty(self._out_shape, dtype=like.dtype, device=like.device)
        elif out.shape != self._out_shape or out.dtype is not like.dtype or out.device != like.device:
            raise TensorError(_expected("out", out, self._out_shape, like))
        elif not out.is_contiguous() or out.is_neg() or out.requires_grad:
            raise TensorError("out: expected a dense tensor (out.contiguous()) that asks for no gradient")
        elif _overlap(x, out):  # a thread may write its units while another still reads
            x = x.clone()
        self._take(x, out)
        return out

    @property
    def rows(self) -> int:
        """Sequences that steps take, the first ones: N until it is set. `x` and the outputs have as many rows; the
        states of the others stay as they are.

        Raises:
            ConfigError: it is set to less than 0, or more than there are.
        """
        return self._rows

    @rows.setter
    def rows(self, rows: int) -> None:
        if not 0 <= rows <= self.batch_size:
            raise ConfigError(f"rows: expected 0 to {self.batch_size}, got {rows}")
        if rows == self._rows:
            return
        self._rows = rows
        self._take.resize(rows)
        self._x_shape, self._out_shape = (rows, self._x_shape[1]), (rows, self._out_shape[1])

    def put(self, row: int, state: Any, count: int = 1) -> None:
        """Set the state of one sequence, each field `[L, 1, ...]`, or of several from it on, `[L, count, ...]`.

        Raises:
            TensorError: it does not fit.
        """
        fields = self._layer.stack.read(state, count, self._like, batched=True, batch_first=False)
        with torch.no_grad():
            for field, given in zip(self._state, fields, strict=True):
                field[:, row : row + count] = given

    def get(self, row: int, count: int = 1) -> tuple[Tensor, ...]:
        """The state of one sequence, or of several from it on, a copy: each field `[L, count, ...]`."""
        return tuple(field[:, row : row + count].clone() for field in self._state)

    @property
    def state(self) -> Any:
        """The state after the last step, each field `[L, N, ...]`: a copy, and a layer's `hx`."""
        copied = (field.clone() for field in self._state)
        state = tuple(copied) if self._layer.stack.mixed else self._layer.cells[0].State(*copied)
        return shapes.as_returned(state, as_namedtuple=self._layer.named_state)

    @state.setter
    def state(self, state: Any) -> None:
        with torch.no_grad():
            for field, given in zip(self._state, self._read(state), strict=True):
                field.copy_(given)

    def reset(self, rows: Sequence[int] | Tensor | None = None, to: Any = None) -> None:
        """Start sequences anew, as `resets` do in a call of the layer.

        Args:
            rows: which: their numbers, or `[N]` bool; all where None.
            to: the state that they then have, each field `[L, N, ...]`; by default the initial state.

        Raises:
            TensorError: a state that does not fit.
        """
        fields = self._layer.initial_state(self.batch_size) if to is None else self._read(to)
        with torch.no_grad():
            for field, anew in zip(self._state, fields, strict=True):
                if rows is None:
                    field.copy_(anew)
                else:
                    field[:, rows] = anew[:, rows]

    def refresh(self) -> None:
        """Read the layer's weights again. The state stays."""
        layer, before = self._layer, getattr(self, "_state", None)
        first = layer.cells[0]
        parameters = [
            {name: getattr(layer, full) for name, full in zip(cell.parameters(), names, strict=True)}
            for cell, names in zip(layer.cells, self._names, strict=True)
        ]
        packed, self._like = self._stamp(), next(iter(parameters[0].values())).detach()
        self._x_shape, self._out_shape = (self._rows, first.input_size), (self._rows, layer.output_size)
        # A state made in inference mode could not be written outside of it.
        with torch.inference_mode(False), torch.no_grad():
            initial = layer.initial_state(self.batch_size) if before is None else before
            self._state = [field.to(self._like, copy=True).contiguous() for field in initial]
            request = kernels.Request(
                self._like.dtype,
                self._like.device.type,
                1,
                noise=bool(layer.zoneout),
                weights=self._weights or layer.weights,
            )
            layers = list(map(steps.Layer, layer.cells, parameters, self._parts(), self._noise()))
            self.reason = steps.refuses(layer.cells, request)
            if self.reason and request.weights == INT8:
                raise ConfigError(f"weights of 8 bits: {self.reason}")
            self._take = _ReferenceSteps(layers) if self.reason else steps.steps(layers, request)
            self.independent = self._take.independent
            if self._rows != self.batch_size:
                self._take.resize(self._rows)
        self._packed = packed  # last: what fails before is tried again

    def _read(self, state: Any) -> tuple[Tensor, ...]:
        return self._layer.stack.read(state, self.batch_size, self._like, batched=True, batch_first=False)

    def _parts(self) -> list[Any]:
        """The state of each layer, in the tensors of the state of all."""
        return [self._layer.stack.part(self._state, layer) for layer in range(len(self._layer.cells))]

    def _noise(self) -> list[StateNoise]:
        """Of each layer: zoneout's expectation, where there is zoneout."""
        rates = {"recurrent_dropout": 0.0, "zoneout": self._layer.zoneout}
        return [StateNoise.draw(state, 1, training=False, **rates) for state in self._parts()]

    def _stamp(self) -> list[Any]:
        """What changes when a weight does, or the number of threads, the products' precision, zoneout or `weights`."""
        own = own_parameters(self._layer)
        stamp: list[Any] = [torch.get_num_threads(), torch.get_float32_matmul_precision(), self._layer.zoneout]
        stamp.append(self._layer.weights)
        for names in self._names:
            for name in names:
                tensor = own.get(name)
                if tensor is None or tensor.is_inference():
                    return [object()]  # a computed weight (torch.nn.utils.parametrize) says nothing of its changes
                stamp += (version(tensor), tensor.data_ptr())
        return stamp


class _ReferenceSteps:
    """The same by the cells' own `step`, on any device and in any dtype."""

    independent = False  # torch chooses the order of a product's sums by the number of rows

    def __init__(self, layers: Sequence[steps.Layer]) -> None:
        self._layers, self._rows = layers, len(layers[0].state[0])

    def resize(self, rows: int) -> None:
        """Take the first sequences alone."""
        self._rows = rows

    @torch.no_grad()
    def __call__(self, x: Tensor, output: Tensor) -> None:
        for cell, p, whole, noise in self._layers:
            state = type(whole)(*(field[: self._rows] for field in whole))
            if noise:
                noise = StateNoise(None, [share[:, : self._rows] for share in noise.zoneout or ()])
            ran = kernels.reference(cell, p, x.unsqueeze(0), state, noise=noise)
            # copied first: a field after may be another one before, as in a cell that remembers two steps
            for field, after in zip(state, [after.clone() for after in ran.final], strict=True):
                field.copy_(after)
            x = ran.output[0]
        output.copy_(x)


def _overlap(one: Tensor, other: Tensor) -> bool:
    begin, start = one.data_ptr(), other.data_ptr()
    return begin < start + other.nbytes and start < begin + one.nbytes


def _expected(name: str, got: Tensor, shape: tuple[int, ...], like: Tensor) -> str:
    return (
        f"{name}: expected {like.dtype} on {like.device} of shape {shape}, "
        f"got {got.dtype} on {got.device} of shape {tuple(got.shape)}"
    )
