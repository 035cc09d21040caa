"""The native kernels as torch custom operators, with gradients and gradients of gradients.

Where nothing listens to operators (no compiler, mode, profiler or subclass of Tensor), the library is called without
them: passing through torch's dispatcher four times takes longer than a short sequence.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.core.torch_private import below_autograd, is_batched, is_traced, is_watched, unchecked_saved_tensors
from ostinato.kernels import native_calls
from ostinato.kernels.native_calls import DIFFERENTIABLE, READ, Inputs, Optional
from ostinato.kernels.native_reference import differentiate
from ostinato.native import torch_programs
from ostinato.native.operands import RUN

torch_programs.register()

_INPUTS = len(Inputs._fields)
# Where the operands by which there are gradients stand among the arguments of `_Recurrence`.
_BY = [3 + READ.index(row) for row in DIFFERENTIABLE]
_needed = itemgetter(*_BY)
_PLAIN = frozenset({Tensor, nn.Parameter, type(None)})


def recurrence(given: Inputs, training: bool, keep_states: bool) -> tuple[Optional, ...]:
    """A cell over a sequence: output, final h and c, c of every step. What there is none of is None, or of size 0.

    Args:
        given: all that it reads.
        training: whether gradients may be wanted.
        keep_states: whether to return c of every step.

    Raises:
        TensorError: a shape, dtype or device that does not fit, with what was expected.
    """
    if given.x.is_meta or not may_skip_operator(given.tensors):
        return tuple(torch.ops.ostinato.recurrence(*_arguments(given, keep_states)))
    if training and any(tensor is not None and tensor.requires_grad for tensor in given.tensors):
        return tuple(_Recurrence.apply(True, given, keep_states, *given.tensors))  # type: ignore[no-untyped-call]
    return native_calls.forward(given, False, keep_states)[0][:-1]


def _arguments(given: Inputs, keep_states: bool) -> tuple[Any, ...]:
    """Of the operators that go forward."""
    return *given[: RUN.first], keep_states, *given[RUN.first :]


def _split(arguments: Sequence[Any]) -> tuple[Inputs, bool]:
    """The way back; the last may have been left out."""
    return Inputs(*arguments[: RUN.first], *arguments[RUN.first + 1 :]), arguments[RUN.first]


def may_skip_operator(tensors: Iterable[Optional]) -> bool:
    """Whether nobody could tell an operator from a plain call."""
    return (
        not torch.compiler.is_compiling()
        and {type(tensor) for tensor in tensors} <= _PLAIN
        and not is_watched()
        and not is_traced()
    )


class _Recurrence(torch.autograd.Function):
    """What `torch.library.register_autograd` would make, without 40 microseconds a call."""

    @staticmethod
    def forward(ctx: Any, direct: bool, given: Inputs, keep_states: bool, *tensors: Optional) -> tuple[Optional, ...]:
        results: tuple[Optional, ...]
        ctx.cell, ctx.reverse, ctx.direct, ctx.before = given.cell, given.reverse, direct, None
        ctx.set_materialize_grads(False)
        if direct:
            results, ctx.before = native_calls.forward(given, True, keep_states)
        else:
            saving = torch.ops.ostinato.recurrence_saving
            arguments = _arguments(Inputs.of(given.cell, tensors, given.reverse), keep_states)
            results = below_autograd(saving, arguments, instead=saving)
        ctx.save_for_backward(*tensors, results[0], results[-1])
        return results[:-1]

    @staticmethod
    def backward(ctx: Any, *upstream: Optional) -> tuple[Optional, ...]:
        *tensors, output, saved = _saved(ctx)
        given = Inputs.of(ctx.cell, tensors, ctx.reverse)
        needed = list(_needed(ctx.needs_input_grad))
        grads: tuple[Optional, ...]
        if torch.is_grad_enabled():
            grads = differentiate(given, needed, upstream)
        elif ctx.direct and may_skip_operator((*tensors, *upstream)) and not is_batched(upstream):
            grads = native_calls.backward(given, (output, saved), upstream, needed, ctx.before)
        else:
            grads = torch.ops.ostinato.recurrence_backward(*given, output, saved, *upstream, needed)
        found: list[Optional] = [None] * (3 + len(READ))
        for at, grad, need in zip(_BY, grads, needed, strict=True):
            found[at] = grad if need else None
        return tuple(found)


def _saved(ctx: Any) -> Sequence[Any]:
    """What forward saved. Where somebody has since changed the output in place, the sequence is run once more.

    Raises:
        RuntimeError: something else was changed; torch's own.
    """
    try:
        return ctx.saved_tensors
    except RuntimeError:
        unchecked = unchecked_saved_tensors(ctx) if ctx.direct else None
        if unchecked is None:
            raise
    *tensors, _output, _saved = unchecked
    tensors = [tensor.unpack() for tensor in tensors]  # refuses those that have changed
    with torch.no_grad():
        again, ctx.before = native_calls.forward(Inputs.of(ctx.cell, tensors, ctx.reverse), True, False)
    return *tensors, again[0], again[-1]


def recurrence_cpu(*arguments: Any) -> tuple[Tensor, ...]:
    """The operator `recurrence`."""
    return _all_of(False, *arguments)[:-1]


def recurrence_fake(*arguments: Any) -> tuple[Tensor, ...]:
    """Its results' shapes."""
    return _empty(False, *arguments)[:-1]


def recurrence_saving_cpu(*arguments: Any) -> tuple[Tensor, ...]:
    """The operator `recurrence_saving`."""
    return _all_of(True, *arguments)


def recurrence_saving_fake(*arguments: Any) -> tuple[Tensor, ...]:
    """Its results' shapes."""
    return _empty(True, *arguments)


def _all_of(saving: bool, *arguments: Any) -> tuple[Tensor, ...]:
    given, keep_states = _split(arguments)
    results, _ = native_calls.forward(given, saving, keep_states, fill=True)
    absent = _empty(saving, *arguments)
    return tuple(empty if tensor is None else tensor for tensor, empty in zip(results, absent, strict=True))


def _empty(saving: bool, *arguments: Any) -> tuple[Tensor, ...]:
    given, keep_states = _split(arguments)
    *shapes, saved = native_calls.shapes(given, saving, keep_states)
    return *(given.x.new_empty(shape) for shape in shapes), given.x.new_empty(saved, dtype=torch.float32)


def recurrence_backward_cpu(*arguments: Any) -> tuple[Tensor, ...]:
    """The operator `recurrence_backward`."""
    given = Inputs(*arguments[:_INPUTS])
    output, saved, *upstream, wanted = arguments[_INPUTS:]
    if upstream[-1] is not None and not upstream[-1].numel():  # the states of every step, not kept
        upstream[-1] = None
    grads = native_calls.backward(given, (output, saved), upstream, wanted)
    return tuple(given.x.new_empty(0) if grad is None else grad for grad in grads)


def recurrence_backward_fake(*arguments: Any) -> tuple[Tensor, ...]:
    """Its results' shapes."""
    given = Inputs(*arguments[:_INPUTS])
    likes = native_calls.having_gradients(given, arguments[-1])
    return tuple(given.x.new_empty((0,) if like is None else like.shape) for like in likes)


def recurrence_autograd(*arguments: Any) -> Any:
    """The operator `recurrence` where gradients may be wanted; whether they are is asked in each call, so that a graph
    captured without them can be trained."""
    if torch.is_grad_enabled() and any(isinstance(one, Tensor) and one.requires_grad for one in arguments):
        given, keep_states = _split(arguments)  # the dispatcher leaves out defaults, as `Inputs` may
        return _Recurrence.apply(False, given, keep_states, *given.tensors)  # type: ignore[no-untyped-call]
    return below_autograd(torch.ops.ostinato.recurrence, arguments, instead=_without_saved)


def _without_saved(*arguments: Any) -> tuple[Tensor, ...]:
    return tuple(torch.ops.ostinato.recurrence_saving(*arguments))[:-1]
