"""Cells compiled from their equations, as an implementation: what no kernel of the package's own runs.

The first use of a cell compiles it, in some seconds, and says so on a line; then its kernel is in the user's cache. Asking
whether a cell can be compiled compiles nothing.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.unroll import Unrolled, per_sequence, unroll
from ostinato.compiler import build
from ostinato.compiler.build import NoCompilerError
from ostinato.compiler.kernel import Kernel, kernel_of
from ostinato.compiler.trace import computed, trace
from ostinato.compiler.tracer import CannotCompileError
from ostinato.core.legend import Parameters
from ostinato.core.lengths import valid_steps
from ostinato.core.torch_private import constant_when_compiled, is_batched, unchecked_saved_tensors
from ostinato.kernels.compiled_calls import Arguments, backward, forward
from ostinato.kernels.request import Request
from ostinato.kernels.transforms import is_captured, own_node
from ostinato.native import library as native_library

NAME = "compiled"
#: 0 leaves cells without a kernel of the package's own to the reference.
VARIABLE = "OSTINATO_COMPILE"

Optional = Tensor | None


class Compiled:
    """A cell that is ready to run: its kernel with the noise that is asked for."""

    def __init__(self, cell: Cell, kernel: Kernel) -> None:
        self.cell, self.kernel = cell, kernel
        self.names = tuple(cell.parameters())


_compiled: dict[str, Compiled] = {}
_keys: dict[Any, tuple[Cell, str, str]] = {}  # of a cell with or without noise: its key, or why it has none
_reasons: dict[Any, tuple[Cell, str]] = {}  # why a cell has no kernel


def refuses(cell: Cell, request: Request) -> str | None:
    """Why a cell is not compiled; None where it is, or will be when it is run."""
    reasons = {
        f"turned off ({VARIABLE}=0)": os.environ.get(VARIABLE, "1") in ("", "0"),
        "only float32 and bfloat16": request.dtype not in (torch.float32, torch.bfloat16),
        "only on the CPU": request.device not in ("cpu", "meta"),
        "no torch.func transform or forward-mode gradient": request.transformed,
        "no gradient by the noise": request.learned_noise,
        "no ONNX": request.onnx,
        "no graph that is captured": is_captured(),
    }
    return next((reason for reason, holds in reasons.items() if holds), None) or _means() or _lacks(cell) or None


@constant_when_compiled
def tell(cell: Cell, refused: str) -> None:
    """Say once why a cell runs on the reference, where it is the compiler that has none.

    Args:
        cell: the cell.
        refused: why nothing faster runs it, as a `Choice` has it.
    """
    whose = {_means(): "cells run", _reasons.get(_named(cell), (cell, ""))[1]: f"the cell {cell.name!r} runs"}
    for reason, which in whose.items():
        if reason and f"{NAME}: {reason}" in refused:
            _say_once(f"{which} on the reference: {reason}")


def run(
    cell: Cell,
    p: Parameters,
    x: Tensor,
    state: Any,
    *,
    lengths: Tensor | None = None,
    reverse: bool = False,
    noise: StateNoise | None = None,
    keep_states: bool = False,
) -> Unrolled:
    """As `unroll`, by one call into the native library."""
    if x.dtype != torch.float32:
        return _in_float32(cell, p, x, state, lengths, reverse, noise, keep_states)
    mask, zoneout = (noise.recurrent_mask, noise.zoneout) if noise else (None, None)
    key, why = _key(cell, mask is not None, zoneout is not None)
    if why:
        _say_once(f"the cell {cell.name!r} runs on the reference: {why}")
        return unroll(cell, p, x, state, lengths=lengths, reverse=reverse, noise=noise, keep_states=keep_states)
    readout = getattr(cell, "readout", None)
    if _needs_projection(key):
        if lengths is not None:
            valid = valid_steps(lengths, x.shape[0])
            x = x.masked_fill(~per_sequence(valid, x), 0)
        x = cell.project(p, x)
    every = keep_states or readout is not None
    output, *rest = recurrence(
        key, x, tuple(p.values()), tuple(state), lengths, mask, tuple(zoneout or ()), reverse, every
    )
    final, states = cell.State(*rest[: len(state)]), None
    if every:
        kept = rest[len(state) :]
        if lengths is not None:  # a sequence that is over, or has not begun, holds its state
            valid = valid_steps(lengths, x.shape[0])
            held = state if reverse else final
            kept = [torch.where(per_sequence(valid, f), f, h) for f, h in zip(kept, held, strict=True)]
        states = cell.State(*kept)
    if readout is not None:
        output = readout(p, states)
        if lengths is not None:
            output = output.masked_fill(~per_sequence(valid_steps(lengths, x.shape[0]), output), 0)
    return Unrolled(output, final, states if keep_states else None)


def _in_float32(cell: Cell, p: Parameters, x: Tensor, state: Any, *rest: Any) -> Unrolled:
    lengths, reverse, noise, keep_states = rest
    ran = run(
        cell,
        {name: tensor.float() for name, tensor in p.items()},
        x.float(),
        cell.State(*(field.float() for field in state)),
        lengths=lengths,
        reverse=reverse,
        noise=noise and noise.to(torch.float32),
        keep_states=keep_states,
    )
    final = cell.State(*(field.to(x.dtype) for field in ran.final))
    states = ran.states and cell.State(*(field.to(x.dtype) for field in ran.states))
    return Unrolled(ran.output.to(x.dtype), final, states)


def _named(cell: Cell, *noise: bool) -> Any:
    """What stands for a cell in a dictionary that keeps it alive."""
    try:
        hash(cell)
    except TypeError:
        return (id(cell), *noise)
    return (type(cell), cell, *noise)


@constant_when_compiled
def _lacks(cell: Cell) -> str:
    """Why a cell has no kernel; empty where it has one, compiled or not yet."""
    named = _named(cell)
    if named not in _reasons:
        _reasons[named] = cell, _untraceable(cell)
    return _reasons[named][1]


@constant_when_compiled
def _means() -> str:
    """What no cell can be compiled without, and is not there."""
    return next((lacking for lacking in (native_library.load(), build.compiler()) if isinstance(lacking, str)), "")


def _untraceable(cell: Cell) -> str:
    try:
        trace(cell)
    except CannotCompileError as error:
        return str(error)
    return ""


@constant_when_compiled
def _key(cell: Cell, masked: bool, zoned: bool) -> tuple[str, str]:
    """Of a cell, compiled, and nothing; or nothing and why it cannot be."""
    named = _named(cell, masked, zoned)
    if named not in _keys:
        _keys[named] = cell, *_compile(cell, masked, zoned)
    return _keys[named][1:]


@constant_when_compiled
def _needs_projection(key: str) -> bool:
    return _compiled[key].kernel.traced.projected


def _compile(cell: Cell, masked: bool, zoned: bool) -> tuple[str, str]:
    library = native_library.load()
    assert not isinstance(library, str)  # or the cell had been refused
    try:
        kernel = kernel_of(cell, library.isa, masked=masked, zoned=zoned)
        kernel.compile()
    except (CannotCompileError, NoCompilerError) as error:
        if not (masked or zoned):
            _reasons[_named(cell)] = cell, str(error)
        return "", str(error)
    if kernel.seconds:
        told = f"compiled {cell.name} in {kernel.seconds:.1f} s; kept in {build.cache_folder()}"
        print(told, file=sys.stderr, flush=True)
    key = f"{cell.name}:{len(_compiled)}"
    _compiled[key] = Compiled(cell, kernel)
    return key, ""


@cache
def _say_once(text: str) -> None:
    warnings.warn(text, stacklevel=2)


def recurrence(
    key: str,
    x: Tensor,
    parameters: Sequence[Tensor],
    state: Sequence[Tensor],
    lengths: Optional,
    mask: Optional,
    zoneout: Sequence[Tensor],
    reverse: bool,
    keep_states: bool,
) -> Sequence[Tensor]:
    """A compiled cell over a sequence: output, fields of the final state, and those of every step's where asked for."""
    tensors = (x, *parameters, *state)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        sizes = len(parameters), len(state), len(zoneout)
        return tuple(_Recurrence.apply(key, reverse, keep_states, sizes, *tensors, lengths, mask, *zoneout))  # type: ignore[no-untyped-call]
    made = _Given(key, reverse, (len(parameters), len(state), len(zoneout)), (*tensors, lengths, mask, *zoneout))
    ran = forward(made.compiled.kernel, made.arguments(), False, keep_states)
    return (ran.output, *ran.final, *ran.every)


class _Given:
    """What a call was given, by what it is."""

    def __init__(self, key: str, reverse: bool, sizes: tuple[int, int, int], tensors: Sequence[Any]) -> None:
        self.compiled, self.reverse = _compiled[key], reverse
        parameters, fields, _ = sizes
        self.x = tensors[0]
        self.parameters = tensors[1 : 1 + parameters]
        self.state = tensors[1 + parameters : 1 + parameters + fields]
        self.lengths, self.mask, *self.zoneout = tensors[1 + parameters + fields :]

    @property
    def p(self) -> Mapping[str, Tensor]:
        """Parameters by name."""
        return dict(zip(self.compiled.names, self.parameters, strict=True))

    def factors(self) -> tuple[list[Tensor], list[Tensor]]:
        """What the kernel takes of the parameters: matrices and vectors."""
        traced = self.compiled.kernel.traced
        made = computed(traced, self.p, [*traced.matrices, *traced.vectors], self.x)
        return made[: len(traced.matrices)], made[len(traced.matrices) :]

    def arguments(self) -> Arguments:
        """As the library takes them."""
        T = self.x.shape[0]
        with torch.no_grad():
            matrices, vectors = self.factors()
        masks = [] if self.mask is None else [self.mask.flatten(1).expand(T, *self.mask.flatten(1).shape)]
        inputs = (self.x.flatten(2), *masks, *(share.flatten(2) for share in self.zoneout))
        return Arguments(inputs, tuple(matrices), tuple(vectors), tuple(self.state), self.lengths, self.reverse)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, key: str, reverse: bool, keep_states: bool, sizes: tuple[int, int, int], *tensors: Any
    ) -> Any:
        made = _Given(key, reverse, sizes, tensors)
        ran = forward(made.compiled.kernel, made.arguments(), True, keep_states)
        ctx.called = key, reverse, sizes
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, ran.saved, ran.output if made.compiled.kernel.fused else None)
        return ran.output, *ran.final, *ran.every

    @staticmethod
    def backward(ctx: Any, *upstream: Optional) -> Any:
        *tensors, saved, output = _saved(ctx)
        key, reverse, sizes = ctx.called
        made = _Given(key, reverse, sizes, tensors)
        differentiable = 1 + sizes[0] + sizes[1]
        needs = ctx.needs_input_grad[4 : 4 + differentiable]
        if torch.is_grad_enabled() or is_batched(upstream):
            grads = _differentiated(made, needs, upstream)
        else:
            grads = _gradients(made, (saved, output), needs, upstream)
        return None, None, None, None, *grads, *[None] * (len(tensors) - differentiable)


def _saved(ctx: Any) -> Sequence[Any]:
    """What forward saved. Where somebody has since changed the output in place, the sequence is run once more.

    Raises:
        RuntimeError: something else was changed; torch's own.
    """
    try:
        found: Sequence[Any] = ctx.saved_tensors
        return found
    except RuntimeError:
        unchecked = unchecked_saved_tensors(ctx)
        if unchecked is None:
            raise
    tensors = [tensor.unpack() for tensor in unchecked[:-2]]  # refuses those that have changed
    key, reverse, sizes = ctx.called
    made = _Given(key, reverse, sizes, tensors)
    again = forward(made.compiled.kernel, made.arguments(), True, False)
    return *tensors, again.saved, again.output


def _gradients(
    made: _Given, kept: tuple[Tensor, Optional], needs: Sequence[bool], upstream: Sequence[Optional]
) -> list[Optional]:
    traced = made.compiled.kernel.traced
    parameters, fields = len(made.parameters), len(made.state)
    wants = any(needs[1 : 1 + parameters])
    given = made.arguments()
    factors = len(given.matrices) + len(given.vectors)
    wanted = [needs[0], *[False] * len(traced.noise), *[wants] * factors, *needs[1 + parameters :]]
    found = backward(
        made.compiled.kernel, given, kept, (upstream[0], upstream[1 : 1 + fields], upstream[1 + fields :]), wanted
    )
    by_x = found[0] if found[0] is None else found[0].reshape(made.x.shape)
    by_factor = found[1 + len(traced.noise) : 1 + len(traced.noise) + factors]
    by_parameter = _of_parameters(made, by_factor) if wants else [None] * parameters
    return [by_x, *by_parameter, *found[len(found) - fields :]]


def _of_parameters(made: _Given, by_factor: Sequence[Optional]) -> list[Optional]:
    """Gradients by the parameters from those by what was made of them; most are made of nothing else."""
    traced = made.compiled.kernel.traced
    refs = [*traced.matrices, *traced.vectors]
    notes = [traced.notes[ref.note] for ref in refs]
    if all(note.function is None and isinstance(note.args, str) for note in notes):
        by_name = {note.args: grad for note, grad in zip(notes, by_factor, strict=True)}
        return [
            None if by_name.get(name) is None else by_name[name].reshape(tensor.shape)  # type: ignore[union-attr]
            for name, tensor in made.p.items()
        ]
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in made.parameters]
        p = dict(zip(made.compiled.names, leaves, strict=True))
        factors = computed(traced, p, refs, made.x)
        pairs = [(f, g) for f, g in zip(factors, by_factor, strict=True) if g is not None and f.requires_grad]
        return list(
            torch.autograd.grad(
                [f for f, _ in pairs], leaves, [g.reshape(f.shape) for f, g in pairs], allow_unused=True
            )
        )


class _Reference:
    """A cell whose input is projected already, or as it was compiled; its output never None."""

    def __init__(self, compiled: Compiled) -> None:
        self._cell, self.State = compiled.cell, compiled.cell.State
        self._projected = compiled.kernel.traced.projected
        self.output_size = compiled.cell.output_size
        if hasattr(compiled.cell, "output_is_state"):
            self.output_is_state = compiled.cell.output_is_state

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        return x if self._projected else self._cell.project(p, x)

    def step(self, p: Parameters, projected: Tensor, state: Any) -> Any:
        output, after = self._cell.step(p, projected, state)
        return after[0] if output is None else output, after


def _differentiated(made: _Given, needs: Sequence[bool], upstream: Sequence[Optional]) -> list[Optional]:
    """Gradients that can be differentiated again, or many at once: those of the reference, computed anew."""
    cell = made.compiled.cell
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        x, *tensors = map(own_node, (made.x, *made.parameters, *made.state))
        parameters = tensors[: len(made.parameters)]
        noise = StateNoise(made.mask, made.zoneout or None)
        ran = unroll(
            _Reference(made.compiled),  # type: ignore[arg-type]
            dict(zip(made.compiled.names, parameters, strict=True)),
            x,
            cell.State(*tensors[len(parameters) :]),
            lengths=made.lengths,
            reverse=made.reverse,
            noise=noise,
            keep_states=True,
        )
    outputs = (ran.output, *ran.final, *ran.states)
    pairs = [(o, u) for o, u in zip(outputs, upstream, strict=False) if u is not None and o.requires_grad]
    by = [tensor for tensor, need in zip((x, *tensors), needs, strict=True) if need]
    if not pairs:
        return [None] * len(needs)
    outs, ups = [o for o, _ in pairs], [u for _, u in pairs]
    found = iter(torch.autograd.grad(outs, by, ups, create_graph=again, allow_unused=True))
    return [next(found) if need else None for need in needs]
