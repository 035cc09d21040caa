"""One call of a compiled cell for a whole sequence, forward or backward, on torch tensors: float32, on the CPU."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.compiler.kernel import Kernel
from ostinato.kernels.native_calls import loaded
from ostinato.native.programs import Program, Programs, addresses, numbers

Optional = Tensor | None


class Arguments(NamedTuple):
    """What both directions read.

    Attributes:
        inputs: `[T, N, width]`: the cell's input or its projection; where there is noise, the mask as it is at every step.
        matrices: factors of products, `[rows, columns]`.
        vectors: the other parameters.
        state: the fields before the first step, `[N, ...]`.
        lengths: `[N]`, or None.
        reverse: from the last step to the first.
    """

    inputs: tuple[Tensor, ...]
    matrices: tuple[Tensor, ...]
    vectors: tuple[Tensor, ...]
    state: tuple[Tensor, ...]
    lengths: Optional
    reverse: bool

    @property
    def differentiable(self) -> tuple[Tensor, ...]:
        """In the order of the gradients."""
        return (*self.inputs, *self.matrices, *self.vectors, *self.state)


class Results(NamedTuple):
    """What forward makes: `output` [T, N, O], `final` and `every` step's state by fields, and what is kept."""

    output: Tensor
    final: tuple[Tensor, ...]
    every: tuple[Tensor, ...]
    saved: Optional


def forward(kernel: Kernel, given: Arguments, training: bool, keep_states: bool) -> Results:
    """Run the cell over the sequences.

    Args:
        kernel: the cell's, compiled.
        given: all that is read.
        training: whether to keep what backward needs.
        keep_states: whether to return the state after every step; zero beyond the lengths.
    """
    call = _Call(kernel, given)
    T, N = call.run.T, call.run.N
    x = given.inputs[0]
    output = x.new_empty(T, N, kernel.output_width)
    final = tuple(torch.empty_like(field, memory_format=torch.contiguous_format) for field in call.state)
    every = tuple(field.new_empty(T, *field.shape) for field in final) if keep_states else ()
    saved = x.new_empty(T * N * call.run.kept_size) if training else None
    run = call.run
    run.output, run.saved = output.data_ptr(), None if saved is None else saved.data_ptr()
    run.final_state = call.array(final)
    run.every_state = call.array(every or [None] * len(final))
    call.compute(backward=False)
    return Results(output, final, every, saved)


def backward(
    kernel: Kernel,
    given: Arguments,
    saved: Tensor,
    upstream: tuple[Optional, Sequence[Optional], Sequence[Optional]],
    wanted: Sequence[bool],
) -> tuple[Optional, ...]:
    """Gradients by `Arguments.differentiable`, None for those that are not wanted.

    Args:
        kernel: as given to `forward`.
        given: as given to `forward`.
        saved: what it kept.
        upstream: gradients by output, by the fields of the final state, and by those of every step's.
        wanted: which.
    """
    call = _Call(kernel, given)
    run = call.run
    grad_output, grad_final, grad_every = upstream
    run.saved = saved.data_ptr()
    run.grad_output = call.address(grad_output)
    run.grad_final, run.grad_every = call.array(grad_final), call.array(grad_every or [None] * len(given.state))
    grads = [torch.empty(t.shape) if want else None for t, want in zip(given.differentiable, wanted, strict=True)]
    left = iter(grads)
    groups = [[next(left) for _ in group] for group in (given.inputs, given.matrices, given.vectors, given.state)]
    run.grad_input, run.grad_matrix, run.grad_vector, run.grad_state = map(call.array, groups)
    call.compute(backward=True)
    return tuple(grads)


class _Call:
    """A run with what it reads, which stays alive as long as this."""

    def __init__(self, kernel: Kernel, given: Arguments) -> None:
        self._alive: list[Any] = []
        self.library = loaded()
        self.run: Program = kernel.run()
        run, x = self.run, given.inputs[0]
        run.isa, run.T, run.N = self.library.isas[self.library.isa], x.shape[0], x.shape[1]
        run.threads, run.reverse = torch.get_num_threads(), given.reverse
        inputs = [t if t.stride(-1) == 1 else t.contiguous() for t in given.inputs]
        self.state = [t.contiguous() for t in given.state]
        self._alive.append(inputs)
        run.input, run.matrix = self.places([t.data_ptr() for t in inputs]), self.array(given.matrices)
        run.vector, run.state = self.array(given.vectors), self.array(self.state)
        strides = numbers([stride for t in inputs for stride in t.stride()[:2]])
        self._alive.append(strides)
        run.input_stride = ctypes.addressof(strides)
        run.lengths = self.address(None if given.lengths is None else given.lengths.to(torch.int64))

    def address(self, tensor: Optional) -> int | None:
        """Of a tensor in C order."""
        if tensor is None:
            return None
        tensor = tensor.contiguous()
        self._alive.append(tensor)
        return tensor.data_ptr()

    def array(self, tensors: Sequence[Optional]) -> int:
        """The address of an array of addresses, of tensors in C order."""
        return self.places([self.address(tensor) for tensor in tensors])

    def places(self, values: Sequence[int | None]) -> int:
        """The address of an array of addresses."""
        made = addresses(values)
        self._alive.append(made)
        return ctypes.addressof(made)

    def compute(self, *, backward: bool) -> None:
        """Call the library."""
        programs = Programs(self.library)
        size = programs.workspace(self.run, backward=backward)
        workspace = torch.empty(size + 64, dtype=torch.uint8)
        self.run.workspace = -(-workspace.data_ptr() // 64) * 64
        (programs.backward if backward else programs.forward)(self.run)
