"""While a program is exported to ONNX by torch.export: any cell as a Scan, the loop over its `step` for any T."""

from typing import Any, Unpack

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.unroll import How, Now, Unrolled, advance
from ostinato.core.legend import Parameters
from ostinato.core.lengths import per_sequence, valid_steps
from ostinato.core.torch_private import scan_operator
from ostinato.kernels.request import Request

NAME = "scan"


def refuses(cell: Cell, request: Request) -> str | None:
    """Why no loop can be recorded; None where it can."""
    reasons = {
        "only in an export": not request.onnx,
        "torch.jit.trace records no loop, export with dynamo=True": not torch.compiler.is_compiling(),
        "one step is no loop": isinstance(request.steps, int) and request.steps == 1,
        f"torch {torch.__version__} records no loop": scan_operator() is None,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def run(cell: Cell, p: Parameters, x: Tensor, state: Any, **how: Unpack[How]) -> Unrolled:
    """As `unroll`, by one Scan. Nothing in it has a gradient: torch would split the loop's graph for the way back."""
    lengths, noise, resets = how.get("lengths"), how.get("noise"), how.get("resets")
    readout, keep_states = getattr(cell, "readout", None), how.get("keep_states", False)
    p = {name: tensor.detach() for name, tensor in p.items()}
    valid = None if lengths is None else valid_steps(lengths, x.shape[0])
    if valid is not None:
        x = x.masked_fill(~per_sequence(valid, x), 0)

    sequences = {"projected": cell.project(p, x)}
    if valid is not None:
        sequences["valid"] = valid
    if noise and noise.zoneout is not None:
        sequences |= {f"zoneout_{index}": share for index, share in enumerate(noise.zoneout)}
    held = dict(p)
    if noise and noise.recurrent_mask is not None:
        held["recurrent_mask"] = noise.recurrent_mask
    if resets is not None:
        sequences["anew"] = resets.before
        held |= {f"start_{index}": field for index, field in enumerate(resets.state)}

    fields, count = len(state), len(sequences)

    def step(*given: Tensor) -> list[Tensor]:
        """The state after a step; what the loop collects: outputs, then states."""
        before = cell.State(*given[:fields])
        now = dict(zip(sequences, given[fields : fields + count], strict=True))
        constants = dict(zip(held, given[fields + count :], strict=True))
        own = {name: constants[name] for name in constants if name in p or name == "recurrent_mask"}
        output, after = advance(cell, own, now["projected"], before, _now(cell, now, constants))
        collected = [*([] if readout else [output]), *(after if readout or keep_states else ())]
        return [tensor.clone() for tensor in (*after, *collected)]  # a loop's results may not share memory

    found = _scanned(step, state, sequences.values(), held.values(), reverse=bool(how.get("reverse")))
    final, collected = cell.State(*found[:fields]), found[fields:]
    states = cell.State(*collected[-fields:]) if readout or keep_states else None
    output = readout(p, states) if readout else collected[0]
    if valid is not None:
        output = output.masked_fill(~per_sequence(valid, output), 0)
    return Unrolled(output, final, states if keep_states else None)


def _now(cell: Cell, sequences: dict[str, Tensor], constants: dict[str, Tensor]) -> Now:
    """What acts on a step, of what was scanned."""
    fields = range(len(cell.State._fields))
    return Now(
        sequences.get("valid"),
        [sequences[f"zoneout_{index}"] for index in fields] if "zoneout_0" in sequences else None,
        sequences.get("anew"),
        cell.State(*(constants[f"start_{index}"] for index in fields)) if "anew" in sequences else None,
    )


def _scanned(step: Any, state: Any, sequences: Any, held: Any, *, reverse: bool) -> list[Tensor]:
    """The final state, and all that a step collects, in the order of time."""
    scan = scan_operator()
    assert scan is not None
    start = [field.detach().clone() for field in state]
    turned = [one.detach().flip(0) if reverse else one.detach() for one in sequences]
    found = scan(step, start, turned, additional_inputs=tuple(one.detach() for one in held))
    final, collected = found[: len(start)], found[len(start) :]
    return [*final, *(one.flip(0) if reverse else one for one in collected)]
