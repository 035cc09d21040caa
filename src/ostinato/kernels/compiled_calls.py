"""One call of a compiled cell for a whole sequence, forward or backward, on torch tensors: float32, on the CPU.

Products are as precise as the kernel says, or as torch asks for when they are computed, forward and backward.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.compiler.kernel import Kernel
from ostinato.kernels.native_calls import aligned, resolved, scratch
from ostinato.native.library import PRECISIONS, load
from ostinato.native.programs import Program, addresses, numbers, programs_of

Optional = Tensor | None
# A process that was forked off works alone: the team of threads was not copied.
_PROCESS = os.getpid()


def rows(tensor: Tensor, dims: int) -> Tensor:
    """A tensor whose first `dims` dimensions are as they are, and the others are one: of 1 where there are none."""
    return tensor.flatten(dims) if tensor.dim() > dims else tensor.unsqueeze(dims)


class Arguments(NamedTuple):
    """What both directions read.

    Attributes:
        inputs: `[T, N, width]`: the cell's input or its projection; then the noise, the mask the same at every step.
        matrices: factors of products, `[rows, columns]`.
        vectors: the other parameters.
        state: the fields before the first step, `[N, ...]`.
        lengths: `[N]`, or None.
        reverse: from the last step to the first.
        resets: `[T, N]` bool, or None: before these steps sequences start anew.
        reset_state: the fields of the state they then have, `[N, ...]`; none without resets.
    """

    inputs: tuple[Tensor, ...]
    matrices: tuple[Tensor, ...]
    vectors: tuple[Tensor, ...]
    state: tuple[Tensor, ...]
    lengths: Optional
    reverse: bool
    resets: Optional = None
    reset_state: tuple[Tensor, ...] = ()

    @property
    def differentiable(self) -> tuple[Tensor, ...]:
        """In the order of the gradients."""
        return (*self.inputs, *self.matrices, *self.vectors, *self.state, *self.reset_state)


class Results(NamedTuple):
    """What forward makes: `output` [T, N, O], `final` and `every` step's state by fields, and what is kept."""

    output: Tensor
    final: tuple[Tensor, ...]
    every: tuple[Tensor, ...]
    saved: Optional


def forward(kernel: Kernel, given: Arguments, training: bool, keep_states: bool, *, fill: bool = False) -> Results:
    """Run the cell over the sequences.

    Args:
        kernel: the cell's, compiled.
        given: all that is read.
        training: whether to keep what backward needs.
        keep_states: whether to return the state after every step; zero beyond the lengths.
        fill: put zeros between what is kept; else it is of any content.
    """
    call = _Call(kernel, given)
    run, x = call.run, given.inputs[0]
    T, N = run.T, run.N
    output = x.new_empty(T, N, kernel.output_width)
    final = tuple([field.new_empty(field.shape) for field in given.state])
    every = tuple([field.new_empty(T, *field.shape) for field in given.state]) if keep_states else ()
    make = x.new_zeros if fill else x.new_empty
    saved = make(T * N * run.kept_size) if training or (kernel.fused and keep_states) else None
    run.output, run.saved = output.data_ptr(), None if saved is None else saved.data_ptr()
    call.compute({"final_state": final, "every_state": every or [None] * len(final)}, backward=False)
    if kernel.fused and every:
        every[0].copy_(output)
    return Results(output, final, every, saved)


def backward(
    kernel: Kernel,
    given: Arguments,
    kept: tuple[Tensor, Tensor],
    upstream: tuple[Optional, Sequence[Optional], Sequence[Optional]],
    wanted: Sequence[bool],
) -> list[Optional]:
    """Gradients by `Arguments.differentiable`, None for those that are not wanted.

    Args:
        kernel: as given to `forward`.
        given: as given to `forward`.
        kept: its output, and what it kept.
        upstream: gradients by output, by the fields of the final state, and by those of every step's.
        wanted: which.
    """
    call = _Call(kernel, given)
    run = call.run
    grad_output, grad_final, grad_every = upstream
    output, saved = kept
    run.saved, run.output = saved.data_ptr(), call.address(output)
    if kernel.fused and grad_every and grad_every[0] is not None:  # of the output, which it is
        grad_output = grad_every[0] if grad_output is None else grad_output + grad_every[0]
    run.grad_output = call.address(grad_output)
    grads = [
        None if not want else saved.new_empty(tensor.shape) if there else saved.new_zeros(tensor.shape)
        for tensor, want, there in zip(given.differentiable, wanted, _written(kernel, given), strict=True)
    ]
    arrays: dict[str, Sequence[Optional]] = {
        "grad_final": grad_final,
        "grad_every": grad_every or [None] * len(given.state),
    }
    begin = 0
    for name in _FIELDS:
        count = len(getattr(given, _FIELDS[name]))
        arrays[f"grad_{name}"] = grads[begin : begin + count]
        begin += count
    call.compute(arrays, backward=True)
    return grads


def _written(kernel: Kernel, given: Arguments) -> list[bool]:
    """By which of `differentiable` the library writes a gradient: a fused cell has no place for what it never uses."""
    written = [True] * len(given.differentiable)
    if kernel.fused:
        roles, first, matrices = kernel.fused.roles, len(given.inputs), len(given.matrices)
        used = (*roles[:2], *(matrices + vector for vector in (*roles[2:], *kernel.fused.extra) if vector >= 0))
        for index in range(matrices + len(given.vectors)):
            written[first + index] = index in used
    return written


#: What the library calls them.
_FIELDS = {
    "input": "inputs",
    "matrix": "matrices",
    "vector": "vectors",
    "state": "state",
    "reset_state": "reset_state",
}


class _Call:
    """A run with what it reads, which stays alive as long as this."""

    def __init__(self, kernel: Kernel, given: Arguments) -> None:
        self._alive: list[Any] = [given]
        self.workspace_size: Callable[[], int]
        library = load()
        assert not isinstance(library, str)  # or the kernel had not been compiled
        self.library = library
        self.run: Program = kernel.run()
        self._functions = kernel.functions
        run, x = self.run, given.inputs[0]
        run.isa, run.T, run.N = self.library.isas[self.library.isa], x.shape[0], x.shape[1]
        run.threads, run.reverse = torch.get_num_threads() if os.getpid() == _PROCESS else 1, given.reverse
        run.precision = PRECISIONS.index(kernel.precision or torch.get_float32_matmul_precision())
        inputs = [resolved(t if t.stride(-1) == 1 else t.contiguous()) for t in given.inputs]
        self._alive.append(inputs)
        self._places: dict[str, list[int | None]] = {"input": [t.data_ptr() for t in inputs]}
        for name in ("matrix", "vector", "state", "reset_state"):
            self._places[name] = [self.address(t) for t in getattr(given, _FIELDS[name])]
        self._strides = numbers([stride for t in inputs for stride in t.stride()[:2]])
        run.input_stride = ctypes.addressof(self._strides)
        run.resets = self.address(given.resets)
        lengths = None if given.lengths is None else given.lengths.to(torch.int64)
        self._alive.append(lengths)
        run.lengths = self.address(lengths)

    def address(self, tensor: Optional) -> int | None:
        """Of a tensor in C order."""
        if tensor is None:
            return None
        if not tensor.is_contiguous() or tensor.is_neg():
            tensor = resolved(tensor.contiguous())
            self._alive.append(tensor)  # the others are whoever's that calls
        return tensor.data_ptr()

    def prepare(
        self, arrays: Mapping[str, Sequence[Optional]], *, backward: bool, scratch: Callable[[int], Tensor] = scratch
    ) -> Callable[[Program], None]:
        """The library's function for a direction, once the run has these arrays of arrays beside those that it reads.

        Args:
            arrays: by what the library calls them.
            backward: which direction.
            scratch: gives so many bytes of memory.
        """
        run = self.run
        for name, tensors in arrays.items():
            self._places[name] = [self.address(tensor) for tensor in tensors]
        self.places = addresses([place for group in self._places.values() for place in group])
        at = ctypes.addressof(self.places)
        for name, group in self._places.items():
            setattr(run, name, at if group else None)  # what there is none of has no array
            at += 8 * len(group)
        if self._functions:
            fused = self._functions[backward]
            self.workspace_size, function = partial(fused.workspace, run), fused.compute
        else:
            programs = programs_of(self.library)
            self.workspace_size = partial(programs.workspace, run, backward=backward)
            function = programs.backward if backward else programs.forward
        workspace = scratch(self.workspace_size())
        self._alive.append(workspace)
        run.workspace = workspace.data_ptr()
        return function

    def compute(self, arrays: Mapping[str, Sequence[Optional]], *, backward: bool) -> None:
        """Call the library."""
        self.prepare(arrays, backward=backward)(self.run)


class Step:
    """One step of a compiled cell, again and again; the state is read and overwritten where it lies.

    Args:
        kernel: the cell's, compiled.
        given: a step: T is 1, the state dense. What its input holds does not matter.
    """

    def __init__(self, kernel: Kernel, given: Arguments) -> None:
        self._call = _Call(kernel, given)
        final = {"final_state": given.state, "every_state": [None] * len(given.state)}
        self._compute = self._call.prepare(final, backward=False, scratch=aligned)
        self._run, self._places = self._call.run, self._call.places
        self._workspace = aligned(0)  # beside the call's own, where that is too small
        self._room = self._call.workspace_size()

    def resize(self, rows: int) -> None:
        """Take the first sequences alone from now on."""
        self._run.N = rows
        if (size := self._call.workspace_size()) > self._room:
            self._room, self._workspace = size, aligned(size)
            self._run.workspace = self._workspace.data_ptr()

    def __call__(self, x: int, output: int) -> None:
        """Take a step: addresses of the inputs `[N, width]` and of the outputs, both dense."""
        self._places[0] = x
        self._run.output = output
        self._compute(self._run)
