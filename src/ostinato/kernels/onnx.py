"""While a program is exported to ONNX: its own operators for recurrent layers, a node a layer and direction.

`torch.onnx.export` captures in two ways, by torch.jit.trace (`dynamo=False`) and by torch.export; each has its own way
to name a node.
"""

from typing import Any, Unpack

import torch
from torch import Tensor

from ostinato.cells import form
from ostinato.cells.activations import Activation
from ostinato.cells.contract import Cell
from ostinato.cells.unroll import How, Unrolled
from ostinato.core.legend import Parameters
from ostinato.core.registry import is_ours
from ostinato.kernels.request import Request
from ostinato.kernels.transforms import is_captured

NAME = "onnx"


#: Activations that ONNX has without parameters.
ACTIVATIONS: dict[Activation, str] = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "relu": "Relu",
    "softsign": "Softsign",
    "softplus": "Softplus",
}


def is_exported() -> bool:
    """Whether this call is recorded for ONNX."""
    return is_captured() and torch.onnx.is_in_onnx_export()


def refuses(cell: Cell, request: Request) -> str | None:
    """Why ONNX has no node for this; None where it has."""
    reasons = {
        "only in an export": not request.onnx,
        f"it has no {cell.name}": form.onnx_operator(cell) is None,
        f"{cell.name} is another cell here": not is_ours(type(cell)),
        "no such activation": any(value not in ACTIVATIONS for value in _activations(cell)),
        "no projection": cell.output_size != cell.hidden_size,
        "no recurrent dropout or zoneout": request.noise,
        "no resets": request.resets,
        "no state of every step": request.keep_states and (cell.State._fields != ("h",) or request.lengths),
        "only float16, float32 and float64": request.dtype not in (torch.float16, torch.float32, torch.float64),
        f"torch {torch.__version__} cannot name its nodes": torch.compiler.is_compiling()
        and not hasattr(torch.onnx, "ops"),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def run(cell: Cell, p: Parameters, x: Tensor, state: Any, **how: Unpack[How]) -> Unrolled:
    """As `unroll`, by one node; `refuses` has kept noise and resets away.

    ONNX Runtime takes lengths of at least 1: of a sequence of none, one step is computed and nothing of it is kept.
    """
    operator, lengths = form.onnx_operator(cell), how.get("lengths")
    assert operator is not None
    order = tuple(map(cell.gates.index, operator.gates))
    biases = [_reordered(p[name], order) for name in ("bias_ih", "bias_hh")] if cell.bias else []
    inputs = [
        x,
        *(_reordered(p[name], order).unsqueeze(0) for name in ("weight_ih", "weight_hh")),
        torch.cat(biases).unsqueeze(0) if biases else None,
        None if lengths is None else lengths.clamp(min=1).to(torch.int32),
        *(field.unsqueeze(0) for field in state),
    ]
    if operator.peepholes:
        inputs.append(torch.cat([p[name] for name in operator.peepholes]).unsqueeze(0))
    attributes = {"hidden_size": cell.hidden_size, **operator.attributes, **_form(cell)}
    if how.get("reverse"):
        attributes["direction"] = "reverse"

    if torch.compiler.is_compiling():
        shapes = [(x.shape[0], 1, *state[0].shape), *((1, *field.shape) for field in state)]
        made = torch.onnx.ops.symbolic_multi_out(
            operator.name, inputs, attributes, dtypes=[x.dtype] * len(shapes), shapes=shapes
        )
    else:
        made = _Node.apply(len(state), operator.name, attributes, *inputs)  # type: ignore[no-untyped-call]
    output, final = made[0].squeeze(1), cell.State(*(field.squeeze(0) for field in made[1:]))
    if lengths is not None:
        some = (lengths > 0).unsqueeze(1)
        output = torch.where(some, output, torch.zeros_like(output))
        final = cell.State(*(torch.where(some, new, old) for new, old in zip(final, state, strict=True)))
    return Unrolled(output, final, cell.State(output) if how.get("keep_states") else None)


def _activations(cell: Cell) -> tuple[Activation, ...]:
    """Those that a cell can choose, in ONNX's order: of the gates, of the candidate, and of an LSTM's memory cell."""
    if not hasattr(cell, "activation"):
        return ()
    squash = cell.activation
    if not hasattr(cell, "recurrent_activation"):
        return (squash,)
    return (cell.recurrent_activation, *[squash] * len(cell.State._fields))


def _form(cell: Cell) -> dict[str, Any]:
    """Attributes of what is not the operator's default."""
    names = [ACTIVATIONS[one] for one in _activations(cell) if isinstance(one, str)]
    clip = getattr(cell, "clip", None)
    usual = ["Sigmoid", "Tanh", "Tanh"][: len(names)] if len(names) > 1 else ["Tanh"]
    unusual = {"activations": names} if names and names != usual else {}
    return unusual | ({} if clip is None else {"clip": float(clip)})


def _reordered(weight: Tensor, order: tuple[int, ...]) -> Tensor:
    """Rows of gates in another order; by slices, which exporters compute in advance."""
    if len(order) == 1:
        return weight
    H = weight.shape[0] // len(order)
    return torch.cat([weight[index * H : (index + 1) * H] for index in order])


class _Node(torch.autograd.Function):
    """A call that torch.jit.trace records as one, and torch's exporter by TorchScript asks for its node.

    Its results are zeros, as those of `torch.onnx.ops`: nobody reads them.
    """

    @staticmethod
    def forward(ctx: Any, fields: int, name: str, attributes: dict[str, Any], *inputs: Any) -> tuple[Tensor, ...]:
        x, state = inputs[0], inputs[5 : 5 + fields]
        return x.new_zeros(x.shape[0], *state[0].shape), *(torch.zeros_like(field) for field in state)

    @staticmethod
    def symbolic(g: Any, fields: int, name: str, attributes: dict[str, Any], *inputs: Any) -> Any:
        """The node."""
        kinds = {int: "i", str: "s", list: "s", float: "f"}
        given = {f"{key}_{kinds[type(value)]}": value for key, value in attributes.items()}
        return g.op(name, *(_absent(g) if value is None else value for value in inputs), outputs=1 + fields, **given)


def _absent(g: Any) -> Any:
    constant = g.op("prim::Constant")
    constant.setType(torch.OptionalType.ofTensor())
    return constant
