"""PyTorch's own fused layers (oneDNN, cuDNN), for the cells that torch has."""

from typing import Any, Unpack

import torch
from torch import Tensor

from ostinato.cells import form
from ostinato.cells.contract import Cell
from ostinato.cells.unroll import How, Unrolled
from ostinato.core.legend import Parameters
from ostinato.core.registry import is_ours
from ostinato.kernels.native_cells import no_other_form
from ostinato.kernels.request import Request

NAME = "torch"


def refuses(cell: Cell, request: Request) -> str | None:
    """Why torch's layer cannot stand in; None where it can."""
    mode = form.torch_mode(cell)
    reasons = {
        f"torch has no {cell.name}": not mode,
        f"{cell.name} is another cell here": not is_ours(type(cell)),
        "no lengths without packing": request.lengths,
        "no recurrent dropout or zoneout": request.noise,
        "no resets": request.resets,
        "no state of every step": request.keep_states and cell.State._fields != ("h",),
        "no projection on the CPU": cell.output_size != cell.hidden_size and request.device == "cpu",
        "float64 is for checking, by the reference": request.dtype == torch.float64,
        "no torch.func transform or forward-mode gradient": request.transformed,
        "no ONNX": request.onnx,
        "an empty sequence": request.steps == 0,
        "oneDNN's LSTM does not pass torch.compile": mode == "LSTM" and torch.compiler.is_dynamo_compiling(),
    }
    return no_other_form(cell) or next((reason for reason, holds in reasons.items() if holds), None)


def run(cell: Cell, p: Parameters, x: Tensor, state: Any, **how: Unpack[How]) -> Unrolled:
    """As `unroll`, by one call into torch; `refuses` has kept lengths, noise and resets away."""
    weights = [p[name] for name in cell.parameters()]
    hx = [field.unsqueeze(0).contiguous() for field in state]  # which cuDNN asks for
    reverse = how.get("reverse", False)
    x = x.flip(0) if reverse else x
    training = torch.is_grad_enabled()
    # what torch.nn's layers call: (input, state, weights, has_biases, layers, dropout, train, both ways, batch_first)
    entry = getattr(torch, form.torch_mode(cell).lower())
    output, *final = entry(x, hx if len(hx) > 1 else hx[0], weights, cell.bias, 1, 0.0, training, False, False)
    output = output.flip(0) if reverse else output
    states = cell.State(output) if cell.State._fields == ("h",) else None
    return Unrolled(output, cell.State(*(field.squeeze(0) for field in final)), states)
