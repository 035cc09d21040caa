"""Cells compiled from their equations, as an implementation: what no kernel of the package's own runs.

The first use of a cell compiles it, in some seconds, and says so on a line; then its kernel is in the user's cache.
Asking whether a cell can be compiled compiles nothing.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import Any, Unpack

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.resets import Resets
from ostinato.cells.unroll import How, Unrolled, unroll
from ostinato.compiler import build
from ostinato.compiler.trace import computed, trace
from ostinato.compiler.tracer import CannotCompileError
from ostinato.core.legend import Parameters
from ostinato.core.lengths import per_sequence, valid_steps
from ostinato.core.torch_private import constant_when_compiled
from ostinato.kernels.compiled_kernels import kernel_by, key_of, named_by, unwatched
from ostinato.kernels.compiled_operators import Inputs, recurrence
from ostinato.kernels.request import Request
from ostinato.native import library as native_library

NAME = "compiled"
#: 0 leaves cells without a kernel of the package's own to the reference.
VARIABLE = "OSTINATO_COMPILE"

_reasons: dict[Any, tuple[Cell, str]] = {}  # why a cell has no kernel


def refuses(cell: Cell, request: Request) -> str | None:
    """Why a cell is not compiled; None where it is, or will be when it is run."""
    return request.unfit() or _means() or _lacks(cell) or None


@constant_when_compiled
def tell(cell: Cell, refused: str) -> None:
    """Say once why a cell runs on the reference, where it is the compiler that has none.

    Args:
        cell: the cell.
        refused: why nothing faster runs it, as a `Choice` has it.
    """
    whose = {_means(): "cells run", _lacks(cell): f"the cell {cell.name!r} runs"}
    for reason, which in whose.items():
        if reason and f"{NAME}: {reason}" in refused:
            _say_once(f"{which} on the reference: {reason}")


def run(cell: Cell, p: Parameters, x: Tensor, state: Any, **how: Unpack[How]) -> Unrolled:
    """As `unroll`, by one call into the native library; of bfloat16 the products, and all else in float32."""
    return (_in_float32 if x.dtype == torch.bfloat16 else _run)(cell, p, x, state, how)


def _run(cell: Cell, p: Parameters, x: Tensor, state: Any, how: How, rounded: bool = False) -> Unrolled:
    lengths, noise, reverse = how.get("lengths"), how.get("noise"), how.get("reverse", False)
    key, why = _key(cell, *_kind(noise), rounded)
    if why:  # with noise alone
        _say_once(f"the cell {cell.name!r} runs on the reference: {why}")
        return unroll(cell, p, x, state, **how)
    readout = left_readout(cell, key)
    keep_states = how.get("keep_states", False)
    every = keep_states or readout is not None
    if leaves_projection(key):
        if lengths is not None:
            valid = valid_steps(lengths, x.shape[0])
            x = x.masked_fill(~per_sequence(valid, x), 0)
        x = cell.project(p, x)
    output, *rest = recurrence(inputs(key, p, x, state, lengths, noise, reverse, how.get("resets")), every)
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


def key(cell: Cell, noise: StateNoise | None) -> str:
    """What stands for a cell that is compiled."""
    return _key(cell, *_kind(noise), False)[0]


def inputs(
    key: str,
    p: Parameters,
    x: Tensor,
    state: Any,
    lengths: Tensor | None = None,
    noise: StateNoise | None = None,
    reverse: bool = False,
    resets: Resets | None = None,
) -> Inputs:
    """What the operators take for a compiled cell over a sequence; its projection where torch runs `project`."""
    mask, zoneout = (noise.recurrent_mask, noise.zoneout) if noise else (None, None)
    before, anew = (resets.before, tuple(resets.state)) if resets else (None, ())
    shares = tuple(zoneout or ())
    return Inputs(key, x, _factors(key, p, x), tuple(state), lengths, mask, shares, reverse, before, anew)


@constant_when_compiled
def leaves_projection(key: str) -> bool:
    """Whether torch runs a compiled cell's `project`."""
    return kernel_by(key).traced.projected


def left_readout(cell: Cell, key: str) -> Any:
    """A compiled cell's `readout` where torch runs it; None where the kernel does, or the cell has none."""
    return None if _is_read(key) else getattr(cell, "readout", None)


def failed(cell: Cell, request: Request) -> str:
    """Why a cell that could be compiled was not, once that has been tried; empty where it was."""
    return _key(cell, False, request.noise, False)[1]


def _kind(noise: StateNoise | None) -> tuple[bool, bool]:
    return (noise.recurrent_mask is not None, noise.zoneout is not None) if noise else (False, False)


def _in_float32(cell: Cell, p: Parameters, x: Tensor, state: Any, how: How) -> Unrolled:
    noise, resets = how.get("noise"), how.get("resets")
    how["noise"], how["resets"] = noise and noise.to(torch.float32), resets and resets.to(torch.float32)
    wide, start = {name: tensor.float() for name, tensor in p.items()}, cell.State(*(field.float() for field in state))
    ran = _run(cell, wide, x.float(), start, how, rounded=True)
    final = cell.State(*(field.to(x.dtype) for field in ran.final))
    states = ran.states and cell.State(*(field.to(x.dtype) for field in ran.states))
    return Unrolled(ran.output.to(x.dtype), final, states)


def _factors(key: str, p: Parameters, like: Tensor) -> tuple[Tensor, ...]:
    """What the kernel takes of the parameters, most often these themselves; the rest is made of them by torch."""
    if (names := _names(key)) is not None:
        return tuple([p[name] for name in names])
    traced = kernel_by(key).traced
    return tuple(computed(traced, p, [*traced.matrices, *traced.vectors], like))


@constant_when_compiled
def _names(key: str) -> tuple[str, ...] | None:
    return kernel_by(key).names


@constant_when_compiled
def _is_read(key: str) -> bool:
    return kernel_by(key).traced.output is not None


@constant_when_compiled
def _key(cell: Cell, masked: bool, zoned: bool, rounded: bool) -> tuple[str, str]:
    key, why = key_of(cell, masked, zoned, _precision(rounded))
    if why and not (masked or zoned):
        _reasons[named_by(cell)] = cell, why
    return key, why


def _precision(rounded: bool) -> str | None:
    """What a kernel's products keep to: "medium" of bfloat16; None where torch is to say which at every call."""
    library = native_library.load()
    wanted = "medium" if rounded else torch.get_float32_matmul_precision()
    if isinstance(library, str) or library.precision(wanted) == "highest":
        return "highest"
    return "medium" if rounded else None


@constant_when_compiled
def _means() -> str:
    """What no cell can be compiled without, and is not there."""
    if os.environ.get(VARIABLE, "1") in ("", "0"):
        return f"turned off ({VARIABLE}=0)"
    return next((tool for tool in (native_library.load(), build.compiler()) if isinstance(tool, str)), "")


@constant_when_compiled
def _lacks(cell: Cell) -> str:
    """Why a cell has no kernel; empty where it has one, compiled or not yet."""
    key = named_by(cell)
    if key not in _reasons:
        _reasons[key] = cell, unwatched(_untraceable, cell)
    return _reasons[key][1]


def _untraceable(cell: Cell) -> str:
    try:
        trace(cell)
    except CannotCompileError as error:
        return str(error)
    return ""


@cache
def _say_once(text: str) -> None:
    warnings.warn(text, stacklevel=2)
