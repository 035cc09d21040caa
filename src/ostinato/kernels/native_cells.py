"""The package's own kernels as an implementation: which cells they run, and a cell's parameters as they take them."""

from contextlib import suppress
from typing import Any, Unpack, cast

import torch
from torch import Tensor

from ostinato.cells import form
from ostinato.cells.activations import unusual
from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.resets import Resets
from ostinato.cells.unroll import How, Unrolled
from ostinato.core.errors import ConfigError
from ostinato.core.legend import Parameters
from ostinato.core.lengths import valid_steps
from ostinato.core.registry import is_ours
from ostinato.core.torch_private import constant_when_compiled
from ostinato.kernels import native_calls
from ostinato.kernels.native_calls import Inputs, Optional
from ostinato.kernels.native_operators import recurrence
from ostinato.kernels.request import Request
from ostinato.native import library as native_library

NAME = "native"

#: The instruction set that computes AMX's instructions by loops.
EMULATED = "amx_emulated"

# Of most cells, all that they have.
SHARED = frozenset({"weight_ih", "weight_hh", "bias_ih", "bias_hh"})


# Before this process may fork: the library learns of a fork only if it is there by then. A setting that it refuses is
# an error where it is used.
with suppress(ConfigError):
    native_library.load()


def refuses(cell: Cell, request: Request) -> str | None:
    """Why the native kernels cannot run this; None where they can."""
    projected = cell.output_size != cell.hidden_size
    own = _no_kernel(type(cell), projected) or no_other_form(cell) or request.unfit()
    return own if own or request.weights != native_library.INT8 else _no_bytes(type(cell), projected)


def no_other_form(cell: Cell) -> str | None:
    """Why a kernel of the usual activations cannot run this cell; None where it has these."""
    option = unusual(cell)
    return None if option is None else f"no other {option}" if option != "clip" else "no clipped sums"


def run(cell: Cell, p: Parameters, x: Tensor, state: Any, **how: Unpack[How]) -> Unrolled:
    """As `unroll`, by one call into the native library."""
    given = inputs(cell, p, x, state, **_options_of_inputs(how))
    ran = recurrence(given, torch.is_grad_enabled(), bool(how.get("keep_states")) and given.c0 is not None)
    return _unrolled(cell, ran, state, x.shape[0], how)


def run_eight_bits(cell: Cell, p: Parameters, x: Tensor, state: Any, **how: Unpack[How]) -> Unrolled:
    """As `run`, with weights of 8 bits, made in each call; without gradients, for nobody to trace."""
    given = inputs(cell, p, x, state, **_options_of_inputs(how))
    keep_c = bool(how.get("keep_states")) and given.c0 is not None
    ran, _ = native_calls.forward(given, False, keep_c, precision=native_library.INT8)
    return _unrolled(cell, ran[:-1], state, x.shape[0], how)


def _options_of_inputs(how: How) -> dict[str, Any]:
    return {name: how[name] for name in ("lengths", "reverse", "noise", "resets") if name in how}


def _unrolled(cell: Cell, ran: tuple[Optional, ...], state: Any, steps: int, how: How) -> Unrolled:
    """The operators' results as those of `unroll`."""
    lengths, reverse = how.get("lengths"), how.get("reverse", False)
    output, states_c = cast(Tensor, ran[0]), cast(Tensor, ran[3])
    final, states = ran[1 : 1 + len(state)], None
    if how.get("keep_states"):
        every = (output, states_c)[: len(state)]
        if lengths is not None:  # a sequence that is over, or has not begun, holds its state
            valid = valid_steps(lengths, steps).unsqueeze(-1)
            held = state if reverse else final
            every = tuple(torch.where(valid, field, still) for field, still in zip(every, held, strict=True))
        states = cell.State(*every)
    return Unrolled(output, cell.State(*final), states)


def inputs(
    cell: Cell,
    p: Parameters,
    x: Tensor,
    state: Any,
    lengths: Optional = None,
    noise: StateNoise | None = None,
    reverse: bool = False,
    resets: Resets | None = None,
) -> Inputs:
    """What the operators take for a cell over a sequence."""
    out: dict[str, Tensor] = {}
    extra: list[Tensor] = []
    if not SHARED.issuperset(p):
        for name, declared in cell.parameters().items():
            operand = form.operand(name, declared)
            if operand == "extra":
                extra.append(p[name].reshape(-1, cell.hidden_size))
            else:
                out[operand] = p[name]
    memory = len(state) > 1
    zoneout = noise.zoneout if noise and noise.zoneout else (None, None)
    return Inputs(
        cell.name,
        x=x,
        weight_ih=p["weight_ih"],
        weight_hh=p["weight_hh"],
        bias_ih=p.get("bias_ih"),
        bias_hh=p.get("bias_hh"),
        weight_out=out.get("weight_out"),
        bias_out=out.get("bias_out"),
        extra=torch.cat(extra) if extra else None,
        h0=state[0],
        c0=state[1] if memory else None,
        lengths=lengths,
        recurrent_mask=noise.recurrent_mask if noise else None,
        zoneout_h=zoneout[0],
        zoneout_c=zoneout[1] if memory else None,
        reverse=reverse,
        resets=None if resets is None else resets.before,
        reset_h=None if resets is None else resets.state[0],
        reset_c=resets.state[1] if memory and resets is not None else None,
    )


def _no_bytes(kind: type[Cell], projected: bool) -> str | None:
    kernel = form.kernel(kind, projected)
    library = native_library.holding(kernel)
    if isinstance(library, str):
        return library
    there = [name for name in library.cells if library.precision(native_library.INT8, name) == native_library.INT8]
    return None if kernel in there else f"weights of 8 bits only for {', '.join(there)}"


@constant_when_compiled  # it need not look into the loading of a library
def _no_kernel(kind: type[Cell], projected: bool) -> str | None:
    library = native_library.holding(form.kernel(kind, projected))
    if isinstance(library, str):
        return library
    return None if is_ours(kind) else f"{kind.name} is another cell here"


def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16, by the instruction set in use; an emulation does not."""
    library = native_library.load()
    if isinstance(library, str) or library.isa == EMULATED:
        return False
    return library.precision("medium") == "medium"


def multiplies_bfloat16_without_tiles() -> bool:
    """Whether the instruction set in use multiplies bfloat16 in vectors: torch rounds float32 only for AMX's tiles."""
    library = native_library.load()
    return not isinstance(library, str) and not library.has_tiles and library.precision("medium") == "medium"
