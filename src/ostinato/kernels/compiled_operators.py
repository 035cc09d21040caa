"""Compiled cells as torch custom operators, with gradients and gradients of gradients: as `native_operators`."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ostinato.compiler.kernel import Kernel
from ostinato.core.torch_private import below_autograd, is_batched, unchecked_saved_tensors
from ostinato.kernels import compiled_calls
from ostinato.kernels.compiled_calls import rows
from ostinato.kernels.compiled_kernels import kernel_by
from ostinato.kernels.compiled_reference import differentiate
from ostinato.kernels.native_operators import may_skip_operator

Optional = Tensor | None


class Inputs(
    namedtuple(
        "Inputs", ["key", "x", "factors", "state", "lengths", "mask", "zoneout", "reverse", "resets", "reset_state"]
    )
):
    """What both directions read, in the operators' order.

    Attributes:
        key: of the cell's kernel.
        x: `[T, N, ...]`: the cell's input, or its projection.
        factors: what the kernel takes of the parameters: matrices, then vectors.
        state: the fields before the first step, `[N, ...]`.
        lengths: `[N]`, or None.
        mask: `[N, ...]`, of recurrent dropout, or None.
        zoneout: the shares of each field that stay, `[T, N, ...]`, or none.
        reverse: from the last step to the first.
        resets: `[T, N]` bool: the steps before which sequences start anew; or None.
        reset_state: the fields of the state they then have, `[N, ...]`; none without resets.
    """

    __slots__ = ()
    key: str
    x: Tensor
    factors: Sequence[Tensor]
    state: Sequence[Tensor]
    lengths: Optional
    mask: Optional
    zoneout: Sequence[Tensor]
    reverse: bool
    resets: Optional
    reset_state: Sequence[Tensor]

    @property
    def tensors(self) -> tuple[Optional, ...]:
        """All of them; first those by which there are gradients."""
        others = (self.lengths, self.mask, self.resets, *self.zoneout)
        return (self.x, *self.factors, *self.state, *self.reset_state, *others)

    @property
    def differentiable(self) -> int:
        """How many have gradients."""
        return 1 + len(self.factors) + len(self.state) + len(self.reset_state)

    def of(self, tensors: Sequence[Any]) -> Inputs:
        """The same with other tensors."""
        rest = iter(tensors)
        x, factors = next(rest), list(islice(rest, len(self.factors)))
        state, anew = (list(islice(rest, len(fields))) for fields in (self.state, self.reset_state))
        lengths, mask, resets, *zoneout = rest
        return Inputs(self.key, x, factors, state, lengths, mask, zoneout, self.reverse, resets, anew)

    def arguments(self, kernel: Kernel) -> compiled_calls.Arguments:
        """As the library takes them."""
        T, masks = self.x.shape[0], []
        if self.mask is not None:
            flat = rows(self.mask, 1)
            masks = [flat.expand(T, *flat.shape)]
        inputs = (rows(self.x, 2), *masks, *[rows(share, 2) for share in self.zoneout])
        count = len(kernel.traced.matrices)
        return compiled_calls.Arguments(
            inputs,
            tuple(self.factors[:count]),
            tuple(self.factors[count:]),
            tuple(self.state),
            self.lengths,
            self.reverse,
            self.resets,
            tuple(self.reset_state),
        )


def recurrence(given: Inputs, keep_states: bool) -> Sequence[Tensor]:
    """A compiled cell over a sequence: output, fields of the final state, and those of every step's where asked for.

    Args:
        given: all that it reads.
        keep_states: whether to return the state after every step; zero beyond the lengths.
    """
    if given.x.is_meta or not may_skip_operator(given.tensors):
        return tuple(torch.ops.ostinato.compiled(*given, keep_states))
    if torch.is_grad_enabled() and any(t.requires_grad for t in given.tensors[: given.differentiable]):  # type: ignore[union-attr]
        return tuple(_Recurrence.apply(True, given, keep_states, *given.tensors))  # type: ignore[no-untyped-call]
    kernel = kernel_by(given.key)
    ran = compiled_calls.forward(kernel, given.arguments(kernel), False, keep_states)
    return (ran.output, *ran.final, *ran.every)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, direct: bool, given: Inputs, keep_states: bool, *tensors: Any) -> Any:
        ctx.direct, ctx.called = direct, _without_tensors(given)
        ctx.set_materialize_grads(False)
        if direct:  # `tensors` are those that it has
            *results, saved = _all_of(given, keep_states)
        else:
            saving = torch.ops.ostinato.compiled_saving
            *results, saved = below_autograd(saving, (*given.of(tensors), keep_states), instead=saving)
        ctx.save_for_backward(*tensors, results[0], saved)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *upstream: Optional) -> Any:
        *tensors, output, saved = _saved(ctx)
        given = ctx.called.of(tensors)
        wanted = ctx.needs_input_grad[3 : 3 + given.differentiable]
        grads: Sequence[Optional]
        if torch.is_grad_enabled() or is_batched(upstream):
            grads = differentiate(kernel_by(given.key), given, wanted, upstream)
        elif ctx.direct and may_skip_operator((*tensors, *upstream)):
            grads = _gradients(given, (output, saved), upstream, wanted)
        else:
            operator = torch.ops.ostinato.compiled_backward
            found = operator(*given, output, saved, list(upstream), list(wanted))
            grads = [grad if want else None for grad, want in zip(found, wanted, strict=True)]
        return None, None, None, *grads, *[None] * (len(tensors) - given.differentiable)


def _without_tensors(given: Inputs) -> Inputs:
    """That keeps nothing alive, and knows how many of each there are."""
    empty = [None] * len(given.tensors)
    return given.of(empty)


def _saved(ctx: Any) -> Sequence[Any]:
    """What forward saved. Where somebody has since changed the output in place, the sequence is run once more.

    Raises:
        RuntimeError: something else was changed; torch's own.
    """
    try:
        found: Sequence[Any] = ctx.saved_tensors
        return found
    except RuntimeError:
        unchecked = unchecked_saved_tensors(ctx) if ctx.direct else None
        if unchecked is None:
            raise
    tensors = [tensor if tensor is None else tensor.unpack() for tensor in unchecked[:-2]]  # refuses those that changed
    with torch.no_grad():
        output, *_, saved = _all_of(ctx.called.of(tensors), False)
    return *tensors, output, saved


def _all_of(given: Inputs, keep_states: bool, *, fill: bool = False) -> tuple[Tensor, ...]:
    kernel = kernel_by(given.key)
    ran = compiled_calls.forward(kernel, given.arguments(kernel), True, keep_states, fill=fill)
    assert ran.saved is not None
    return (ran.output, *ran.final, *ran.every, ran.saved)


def _gradients(
    given: Inputs, kept: tuple[Tensor, Tensor], upstream: Sequence[Optional], wanted: Sequence[bool]
) -> list[Optional]:
    kernel, fields = kernel_by(given.key), len(given.state)
    noise = len(kernel.traced.noise)
    parted = upstream[0], upstream[1 : 1 + fields], upstream[1 + fields :]
    asked = [wanted[0], *[False] * noise, *wanted[1:]]
    by_x, *found = compiled_calls.backward(kernel, given.arguments(kernel), kept, parted, asked)
    return [None if by_x is None else by_x.view(given.x.shape), *found[noise:]]


def compiled_cpu(*arguments: Any) -> list[Tensor]:
    """The operator `compiled`."""
    *given, keep_states = arguments
    inputs = Inputs(*given)
    kernel = kernel_by(inputs.key)
    ran = compiled_calls.forward(kernel, inputs.arguments(kernel), False, keep_states)
    return [ran.output, *ran.final, *ran.every]


def compiled_fake(*arguments: Any) -> list[Tensor]:
    """Its results' shapes."""
    return compiled_saving_fake(*arguments)[:-1]


def compiled_saving_cpu(*arguments: Any) -> list[Tensor]:
    """The operator `compiled_saving`."""
    *given, keep_states = arguments
    return list(_all_of(Inputs(*given), keep_states, fill=True))


def compiled_saving_fake(*arguments: Any) -> list[Tensor]:
    """Its results' shapes."""
    *read, keep_states = arguments
    given = Inputs(*read)
    kernel, x, (T, N) = kernel_by(given.key), given.x, given.x.shape[:2]
    shapes = [(T, N, kernel.output_width), *(field.shape for field in given.state)]
    shapes += [(T, *field.shape) for field in given.state if keep_states]
    return [x.new_empty(shape) for shape in (*shapes, (T * N * kernel.kept_size,))]


def compiled_backward_cpu(*arguments: Any) -> list[Tensor]:
    """The operator `compiled_backward`."""
    *read, output, saved, upstream, wanted = arguments
    given = Inputs(*read)
    grads = _gradients(given, (output, saved), upstream, wanted)
    return [given.x.new_empty(0) if grad is None else grad for grad in grads]


def compiled_backward_fake(*arguments: Any) -> list[Tensor]:
    """Its results' shapes."""
    *read, _output, _saved, _upstream, wanted = arguments
    given = Inputs(*read)
    likes = zip(given.tensors[: given.differentiable], wanted, strict=True)
    return [given.x.new_empty(like.shape if want else (0,)) for like, want in likes]  # type: ignore[union-attr]


def compiled_autograd(*arguments: Any) -> Any:
    """The operator `compiled` where gradients may be wanted; whether they are is asked in each call, so that a graph
    captured without them can be trained."""
    *read, keep_states = arguments
    given = Inputs(*read)
    if torch.is_grad_enabled() and any(t.requires_grad for t in given.tensors[: given.differentiable]):  # type: ignore[union-attr]
        return list(_Recurrence.apply(False, _without_tensors(given), keep_states, *given.tensors))  # type: ignore[no-untyped-call]
    return below_autograd(torch.ops.ostinato.compiled, arguments, instead=_without_saved)


def _without_saved(*arguments: Any) -> list[Tensor]:
    return list(torch.ops.ostinato.compiled_saving(*arguments))[:-1]
