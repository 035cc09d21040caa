"""The loop over time: the reference that defines what every kernel has to compute."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.resets import Resets
from ostinato.core.legend import Parameters
from ostinato.core.lengths import per_sequence, valid_steps


class How(TypedDict, total=False):
    """What `unroll` takes by name, for those that run a cell in its place."""

    lengths: Tensor | None
    reverse: bool
    noise: StateNoise | None
    keep_states: bool
    resets: Resets | None


class Unrolled(NamedTuple):
    """A whole sequence through a cell.

    Attributes:
        output: `[T, N, O]`, zero beyond a sequence's length.
        final: the state after each sequence's own last step (its first, in reverse).
        states: the state after every step, `[T, N, ...]` a field; None unless asked for.
    """

    output: Tensor
    final: Any
    states: Any = None


class Now(NamedTuple):
    """What acts on a step besides the cell's equations.

    Attributes:
        valid: `[N]` bool, whether the step is within its sequence.
        zoneout: the share of the old value that stays, `[N, ...]` a field of the state.
        anew: `[N]` bool, whether a sequence starts anew before the step.
        start: the state that it then has, `[N, ...]` a field.
    """

    valid: Tensor | None = None
    zoneout: Sequence[Tensor] | None = None
    anew: Tensor | None = None
    start: Any = None


def advance(cell: Cell, p: Parameters, projected: Tensor, state: Any, now: Now) -> tuple[Tensor, Any]:
    """One step: the cell's output, and the state after it."""
    before = state if now.anew is None else _where(cell, now.anew, now.start, state)
    output, after = cell.step(p, projected, before)
    if now.zoneout is not None:
        follows = getattr(cell, "output_is_state", None)
        follows = output is after[0] if follows is None else follows
        after = cell.State(*(torch.lerp(n, o, z) for n, o, z in zip(after, before, now.zoneout, strict=True)))
        output = after[0] if follows else output
    if now.valid is not None:
        after = _where(cell, now.valid, after, state)
    return output, after


def _where(cell: Cell, flags: Tensor, one: Any, other: Any) -> Any:
    """A state where flags `[N]` hold, else the other."""
    pairs = zip(one, other, strict=True)
    return cell.State(*(torch.where(per_sequence(flags, a), a, b) for a, b in pairs))


def unroll(
    cell: Cell,
    p: Parameters,
    x: Tensor,
    state: Any,
    *,
    lengths: Tensor | None = None,
    reverse: bool = False,
    noise: StateNoise | None = None,
    keep_states: bool = False,
    resets: Resets | None = None,
) -> Unrolled:
    """Apply a cell's `step` at every time step, with the same parameters each time.

    Past its length a sequence holds its state and its output is zero. In reverse the loop starts at the last step of
    the padded batch, so that a shorter sequence holds its initial state until its own last step comes: only the valid
    part is reversed.

    Args:
        cell: sizes and equations.
        p: the cell's parameters by name.
        x: `[T, N, D]`, of any content beyond the lengths.
        state: the cell's state before the first step, `[N, ...]` a field.
        lengths: `[N]`, from 0 to T; None where all are T.
        reverse: run from the last step to the first.
        noise: recurrent dropout and zoneout to apply.
        keep_states: return the state after every step too.
        resets: steps before which sequences start anew.
    """
    T = x.shape[0]
    valid = None
    if lengths is not None:
        valid = valid_steps(lengths.to(x.device), T)
        # whatever the padding holds, NaN included, reaches neither output nor gradient
        x = x.masked_fill(~per_sequence(valid, x), 0)
    if noise and noise.recurrent_mask is not None:
        p = {**p, "recurrent_mask": noise.recurrent_mask}
    readout = getattr(cell, "readout", None)

    projected = cell.project(p, x).unbind()  # the way back of an index is as large as the whole, at every step
    outputs, states = [state[0]] * T, [state] * T
    for t in reversed(range(T)) if reverse else range(T):
        now = Now(
            None if valid is None else valid[t],
            None if noise is None or noise.zoneout is None else [share[t] for share in noise.zoneout],
            None if resets is None else resets.before[t],
            None if resets is None else resets.state,
        )
        outputs[t], state = advance(cell, p, projected[t], state, now)
        states[t] = state

    kept = None
    if keep_states or readout:
        fields = zip(*states, strict=True)
        empty = (field.new_zeros(0, *field.shape) for field in state)
        kept = cell.State(*(map(torch.stack, map(list, fields)) if T else empty))
    if readout:
        output = readout(p, kept)
    else:
        output = torch.stack(outputs) if T else x.new_zeros(0, x.shape[1], cell.output_size)
    if valid is not None:
        output = output.masked_fill(~per_sequence(valid, output), 0)
    return Unrolled(output, state, kept if keep_states else None)


def one_step(cell: Cell, p: Parameters, projected: Tensor, state: Any) -> tuple[Tensor, Any]:
    """A cell's `step`, its output by `readout` where the cell has one."""
    output, after = cell.step(p, projected, state)
    readout = getattr(cell, "readout", None)
    return (readout(p, cell.State(*(field.unsqueeze(0) for field in after)))[0] if readout else output), after
