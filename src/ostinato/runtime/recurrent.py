"""A stack of recurrent layers on NumPy arrays: whole sequences, or one time step at a time."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ostinato.cells import form
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.native import library as native_library
from ostinato.native.library import NativeLibrary, Run, Steps
from ostinato.runtime.weights import Array, Weights, sort

#: Steps before which sequences start anew, in the order of a run, and the state they then have, by fields.
Restarts: TypeAlias = tuple[NDArray[np.bool_], Sequence[Array]]

#: What the outputs of two directions become.
MERGES: Mapping[str, Callable[[Array, Array], Array]] = {
    "concat": lambda one, other: np.concatenate((one, other), axis=-1),
    "sum": np.add,
    "mul": np.multiply,
    "mean": lambda one, other: np.multiply(one + other, np.float32(0.5)),
}

#: Bytes from which weights are packed by several threads: fewer take one less time than starting the others, and far
#: less where the processors are busy.
_FOR_THREADS = 1 << 22


class Recurrent:
    """A trained layer, in evaluation: what `ostinato.Recurrent` computes from the same weights.

    Args:
        cell: the cell's name, one of those with native kernels.
        weights: arrays by name, as in the layer's `state_dict`; layers, directions and sizes are read off them.
        batch_first: sequences are `[N, T, ...]` instead of `[T, N, ...]`.
        zoneout: the rate the layer was trained with; its expectation is applied.
        reverse: the layer runs from the end to the start alone.
        merge: what the outputs of its two directions become: "concat", "sum", "mean" or "mul".
        threads: at most this many; by default OMP_NUM_THREADS, or one for each processor.

    Attributes:
        input_size: D.
        hidden_size: H.
        output_size: O, of one direction: H, or what the cell projects to.
        num_layers: L.
        bidirectional: whether there are two directions.

    Raises:
        ConfigError: no native library here, a cell it lacks, weights that do not make a layer, or an option out of
            range.
    """

    def __init__(
        self,
        cell: str,
        weights: Mapping[str, Any],
        *,
        batch_first: bool = False,
        zoneout: float = 0.0,
        reverse: bool = False,
        merge: str = "concat",
        threads: int | None = None,
    ) -> None:
        library = native_library.load()
        if isinstance(library, str):
            raise ConfigError(f"the runtime needs the native library, which is {library}")
        if threads is not None and threads < 1:
            raise ConfigError(f"threads: expected at least 1, got {threads}")
        if not 0 <= zoneout <= 1:
            raise ConfigError(f"zoneout is a probability: expected 0 to 1, got {zoneout}")
        if merge not in MERGES:
            raise ConfigError(unknown_name("merge", merge, MERGES))
        stack, directions, first = sort(cell, weights, merge == "concat")
        if reverse and directions == 2:
            raise ConfigError("these weights are of both directions: leave reverse out")
        self._reverse, self._merge = reverse, MERGES[merge]
        self._library, self._directions, self.cell = library, directions, cell
        self._kernel = form.kernel(type(first), "weight_out" in stack[0])
        self.input_size, self.hidden_size, self.output_size = first.input_size, first.hidden_size, first.output_size
        self.num_layers, self.bidirectional = len(stack) // directions, directions == 2
        self.batch_first = batch_first
        self.State, self._sizes = first.State, list(form.state_sizes(first).values())
        self._threads = threads or _threads()
        longest = max(self.hidden_size, self.output_size)
        self._held = np.full(longest, zoneout, np.float32) if zoneout else None
        self._layers = [_Packed(self, one) for one in stack]

    def initial_state(self, batch_size: int) -> Any:
        """Zeros, each field `[L*S, N, H]`; that which is the output `[L*S, N, O]`."""
        return self.State(
            *(np.zeros(self._shape(index, batch_size), np.float32) for index in range(len(self.State._fields)))
        )

    def _shape(self, field: int, batch_size: int) -> tuple[int, ...]:
        return len(self._layers), batch_size, *self._sizes[field]

    def __call__(
        self, x: Array, state: Any = None, lengths: Any = None, resets: Any = None, reset_to: Any = None
    ) -> tuple[Array, Any]:
        """Run over whole sequences.

        Args:
            x: `[T, N, D]` float32; `[N, T, D]` with batch_first.
            state: each field as `initial_state` makes it; zeros where None.
            lengths: `[N]` integers from 0 to T: the valid steps of each sequence, padded on the right.
            resets: `[T, N]` bool, laid out as the input: True where a document or an episode begins; no state passes
                from one to the next, in either direction.
            reset_to: the state at a reset, as `state`; zeros where None.

        Returns:
            The output `[T, N, S*O]` (`[T, N, O]` where `merge` is not "concat"), laid out as the input, zero beyond a
            length, and the state after each sequence's last step.

        Raises:
            ValueError: a shape or dtype that does not fit, with what was expected.
        """
        _check("x", x, (None, None, self.input_size))
        if self.batch_first:
            x = x.transpose(1, 0, 2)
        T, N, _ = x.shape
        before = self._read_state(state, N)
        after = self.State(*(np.empty_like(field) for field in before))
        valid = None if lengths is None else _read_lengths(lengths, T, N)
        borders = None if resets is None else _read_resets(resets, T, N, self.batch_first)
        anew = self._read_state(reset_to, N)
        for layer in range(self.num_layers):
            output = np.empty((self._directions, T, N, self.output_size), np.float32)
            for direction in range(self._directions):
                index = layer * self._directions + direction
                backwards = self._reverse or bool(direction)
                begin, end, start = ([field[index] for field in fields] for fields in (before, after, anew))
                restarts = None if borders is None else (_in_order(borders, valid, backwards), start)
                self._layers[index].run(x, begin, end, output[direction], valid, backwards, restarts)
            x = output[0] if self._directions == 1 else self._merge(*output)
        return (x.transpose(1, 0, 2) if self.batch_first else x), after

    def stream(self, batch_size: int) -> "Stream":
        """The layer one time step at a time.

        Raises:
            ConfigError: a layer of both directions, or of the reverse one; a batch size below 0.
        """
        return Stream(self, batch_size)

    def _read_state(self, state: Any, N: int) -> Any:
        if state is None:
            return self.initial_state(N)
        fields = (state,) if isinstance(state, np.ndarray) else tuple(state)
        if len(fields) != len(self.State._fields):
            raise ValueError(f"expected a state of {', '.join(self.State._fields)}, got {len(fields)} arrays")
        for index, (name, field) in enumerate(zip(self.State._fields, fields, strict=True)):
            _check(f"state's {name}", field, self._shape(index, N))
        return self.State(*map(np.ascontiguousarray, fields))


class Stream:
    """Steps of a layer: made by `Recurrent.stream`. One thread at a time.

    Attributes:
        state: after the last step, each field `[L, N, H]`, or `[L, N, O]`; write into its arrays to change it.
    """

    def __init__(self, layer: Recurrent, batch_size: int) -> None:
        if layer.bidirectional or layer._reverse:
            raise ConfigError(
                "a layer that reads from the end, or from both, begins with what comes last: it cannot stream"
            )
        if batch_size < 0:
            raise ConfigError(f"batch_size: expected at least 0, got {batch_size}")
        self.state = layer.initial_state(batch_size)
        self._x_shape, self._out_shape = (batch_size, layer.input_size), (batch_size, layer.output_size)
        runs, self._alive = [], []
        x = np.zeros((1, batch_size, layer.input_size), np.float32)
        for index, one in enumerate(layer._layers):
            output = np.empty((1, batch_size, layer.output_size), np.float32)
            fields = [field[index] for field in self.state]
            run, alive = one.prepare(x, fields, fields, output, None, False)
            runs.append(run)
            self._alive += [*alive, x, output]
            x = output
        self._steps = Steps([(layer._library, run) for run in runs])

    def step(self, x: Array, out: Array | None = None) -> Array:
        """Take a step: `[N, D] -> [N, O]`, into `out` or a fresh array.

        Raises:
            ValueError: an `x` or `out` that does not fit, with what was expected.
        """
        if not isinstance(x, np.ndarray) or x.shape != self._x_shape or x.dtype != np.float32:
            _check("x", x, self._x_shape)
        x = np.ascontiguousarray(x)
        if out is None:
            out = np.empty(self._out_shape, np.float32)
        else:
            _check("out", out, self._out_shape)
            if not out.flags.c_contiguous or not out.flags.writeable:
                raise ValueError("out: expected a dense array that can be written")
            if np.may_share_memory(x, out):  # a thread may write its units while another still reads
                x = x.copy()
        self._steps(_address(x), _address(out))
        return out

    def reset(self, rows: Sequence[int] | None = None) -> None:
        """Go back to zeros; only the sequences that `rows` names, where it is given."""
        for field in self.state:
            field[:, slice(None) if rows is None else rows] = 0


def _threads() -> int:
    """As many as OMP_NUM_THREADS says, of a list its first, or as there are cores."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if first.isdecimal() and int(first):
        return int(first)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Packed:
    """One layer and direction, its weights packed once. Holds nothing that a call changes."""

    def __init__(self, layer: Recurrent, weights: Weights) -> None:
        self._library: NativeLibrary = layer._library
        self._held, self._weights = layer._held, weights
        self._sizes = {
            "cell": self._library.cells[layer._kernel],
            "isa": self._library.isas[self._library.isa],
            "D": weights["weight_ih"].shape[1],
            "H": layer.hidden_size,
            "R": layer.output_size,
            "E": len(weights.get("extra", ())),
            "threads": layer._threads,
        }
        run = self._begin(1, 1)
        self._packed = _scratch(self._library.packed_size(run))
        run.packed = _address(self._packed)
        if self._packed.size < _FOR_THREADS:
            run.threads = 1
        self._library.pack(run)

    def _begin(self, T: int, N: int) -> Run:
        run = Run()
        for name, size in {**self._sizes, "T": T, "N": N}.items():
            setattr(run, name, size)
        for name, array in self._weights.items():
            setattr(run, name, _address(array))
        if self._held is not None:  # strides of zero: one row stands for all
            run.zoneout_h = run.zoneout_c = _address(self._held)
        return run

    def prepare(
        self,
        x: Array,
        before: Sequence[Array],
        after: Sequence[Array],
        output: Array,
        lengths: NDArray[np.int64] | None,
        reverse: bool,
        restarts: Restarts | None = None,
    ) -> tuple[Run, list[Any]]:
        """A call that is ready, and what has to live until it is over."""
        T, N, _ = x.shape
        if x.size and (x.strides[2] != 4 or x.strides[0] % 4 or x.strides[1] % 4):
            x = np.ascontiguousarray(x)
        run = self._begin(T, N)
        run.packed, run.reverse = _address(self._packed), int(reverse)
        run.x, run.x_stride_t, run.x_stride_n = _address(x), x.strides[0] // 4, x.strides[1] // 4
        run.h0, run.final_h, run.output = _address(before[0]), _address(after[0]), _address(output)
        if len(before) > 1:
            run.c0, run.final_c = _address(before[1]), _address(after[1])
        if lengths is not None:
            run.lengths = _address(lengths)
        if restarts is not None:
            resets, anew = restarts
            run.resets, run.reset_h = _address(resets), _address(anew[0])
            if len(anew) > 1:
                run.reset_c = _address(anew[1])
        workspace = _scratch(self._library.workspace_size(run, backward=False))
        run.workspace = _address(workspace)
        return run, [self, x, *before, *after, output, lengths, restarts, workspace]

    def run(self, x: Array, *rest: Any) -> None:
        """A whole sequence, into `after` and `output`."""
        run, alive = self.prepare(x, *rest)
        self._library.forward(run)
        del alive


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def _scratch(size: int) -> NDArray[np.uint8]:
    """Memory aligned to 64 bytes."""
    raw = np.empty(size + 64, np.uint8)
    start = -_address(raw) % 64
    return raw[start : start + size]


def _check(name: str, array: Any, shape: tuple[int | None, ...]) -> None:
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name}: expected a NumPy array, got {type(array).__name__}")
    fits = array.ndim == len(shape) and all(e in (None, n) for e, n in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != np.float32:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name}: expected float32 of shape ({wanted}), got {array.dtype} of shape {array.shape}")


def _read_resets(resets: Any, T: int, N: int, batch_first: bool) -> NDArray[np.bool_]:
    array = np.asarray(resets)
    expected = (N, T) if batch_first else (T, N)
    if array.dtype != np.bool_ or array.shape != expected:
        raise ValueError(f"resets: expected bool of shape {expected}, got {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(array.T if batch_first else array)


def _in_order(borders: NDArray[np.bool_], lengths: NDArray[np.int64] | None, reverse: bool) -> NDArray[np.bool_]:
    """The steps before which a run starts anew: from the end, a document begins at its last step."""
    if not reverse:
        return borders
    T, N = borders.shape
    if lengths is not None:
        borders = borders & (np.arange(T)[:, None] < lengths)
    return np.concatenate((borders, np.zeros((1, N), np.bool_)))[1:]


def _read_lengths(lengths: Any, T: int, N: int) -> NDArray[np.int64]:
    array = np.asarray(lengths)
    if array.dtype.kind not in "iu" or array.shape != (N,):
        raise ValueError(f"lengths: expected {N} integers, got {array.dtype} of shape {array.shape}")
    if N and not 0 <= array.min() <= array.max() <= T:
        raise ValueError(f"lengths: expected from 0 to {T} (the padded steps), got {array.tolist()}")
    return np.ascontiguousarray(array, np.int64)
