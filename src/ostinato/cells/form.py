"""A cell's form: what it declares, and what can be found out of a cell that declares less.

Nothing here imports torch before a cell's equations have to be tried.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from ostinato.cells.contract import Cell, OnnxOperator, Parameter, Role
from ostinato.core.errors import ConfigError
from ostinato.core.registry import build, lookup

#: Of parameters whose role the cell does not say: those of `contract.gate_parameters`.
_USUAL: Mapping[str, Role] = {
    "weight_ih": "input",
    "bias_ih": "input",
    "weight_hh": "recurrent",
    "bias_hh": "recurrent",
}


def role(name: str, declared: Parameter) -> Role | None:
    """What a parameter is for; None where nothing says so."""
    return declared.role or _USUAL.get(name)


def kernel(kind: type[Any], projected: bool) -> str:
    """What the native library calls a cell of this class, with or without an output layer."""
    name: str = getattr(kind, "projected_kernel", "") if projected else ""
    return name or kind.name


def operand(name: str, declared: Parameter) -> str:
    """What the native kernels call a parameter; all weights that a unit has beside the products are one, "extra"."""
    places = {"input": "ih", "recurrent": "hh", "output": "out"}
    place = places.get(role(name, declared) or "")
    return "extra" if place is None else f"{'weight' if len(declared.shape) > 1 else 'bias'}_{place}"


@cache
def has_output_layer(cell: str) -> bool:
    """Whether a registered cell has an output layer whatever its options."""
    return any(one.role == "output" for one in build(cell, 1, 1).parameters().values())


def torch_mode(cell: Cell | type[Any]) -> str:
    """The `mode` of torch.nn's layer with the equations of a cell, or of a cell's class; empty where it has none."""
    return getattr(cell, "torch_mode", "")


def onnx_operator(cell: Cell) -> OnnxOperator | None:
    """ONNX's operator with a cell's equations; None where it has none."""
    return getattr(cell, "onnx", None)


def recurrent_weights(cell: Cell) -> tuple[str, ...]:
    """Names of the matrices that multiply the state before a step."""
    found = cell.parameters().items()
    return tuple(name for name, one in found if role(name, one) == "recurrent" and len(one.shape) > 1)


def projected_size(cell: Cell) -> int:
    """Numbers that `project` gives for each step; of a cell that does not say, a block of H for each gate."""
    return getattr(cell, "projected_size", len(cell.gates) * cell.hidden_size)


def feeds_back(cell: Cell) -> bool:
    """Whether there is a recurrent product; of a cell that does not say, whether its step asks for its mask."""
    declared: bool | None = getattr(cell, "feeds_back", None)
    return asks_for_mask(cell) if declared is None else declared


def asks_for_mask(cell: Cell) -> bool:
    """Whether a step looks for the mask of recurrent dropout, as `contract.recurrent` does."""
    import torch

    asked: set[object] = set()

    class Asked(dict[str, Any]):
        def get(self, name: object, default: Any = None) -> Any:
            asked.add(name)
            return super().get(name, default)  # type: ignore[call-overload]

        def __contains__(self, name: object) -> bool:
            asked.add(name)
            return super().__contains__(name)

    p = Asked({name: torch.zeros(one.shape) for name, one in cell.parameters().items()})
    x = torch.zeros(1, 1, cell.input_size)
    with torch.no_grad():
        cell.step(p, cell.project(p, x)[0], cell.initial_state(1, x))
    return "recurrent_mask" in asked


def state_sizes(cell: Cell) -> dict[str, tuple[int, ...]]:
    """The shape of each field of a cell's state behind N, by name."""
    declared = getattr(cell, "state_sizes", None)
    if declared is not None:
        return dict(declared())
    import torch

    state = cell.initial_state(1, torch.empty(0))
    return {name: tuple(field.shape[1:]) for name, field in zip(cell.State._fields, state, strict=True)}


def width_asked_for(cell: str, options: Mapping[str, Any]) -> int:
    """Features of the output where a cell's options ask for others than H; else 0, as of a cell that is unknown yet.

    Args:
        cell: its name.
        options: by name.
    """
    try:
        option = getattr(lookup(cell), "width_option", "")
    except ConfigError:
        return 0
    return int(options.get(option) or 0)


def configured(kind: type[Any], input_size: int, rows: int, fed_back: int, bias: bool) -> Cell:
    """The configuration of a cell with the usual names whose weights have these sizes.

    Args:
        kind: its class.
        input_size: D, columns of `weight_ih`.
        rows: G*H, of `weight_ih` and `weight_hh`.
        fed_back: columns of `weight_hh`.
        bias: whether there are biases.

    Raises:
        ConfigError: none has.
    """
    gates = len(kind.gates)
    H = rows // gates
    option = getattr(kind, "width_option", "")
    if rows % gates or (fed_back != H and not option):
        other = f" (with {option} any multiple of {gates})" if option else ""
        raise ConfigError(f"expected {gates * fed_back} rows of {fed_back} for {kind.name!r}{other}, got {rows}")
    width = {} if fed_back == H else {option: fed_back}
    cell: Cell = kind(input_size=input_size, hidden_size=H, bias=bias, **width)
    return cell
