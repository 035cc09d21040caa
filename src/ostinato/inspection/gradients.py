"""How far gradients reach back through time."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.cells.contract import Cell
from ostinato.cells.unroll import Unrolled, unroll
from ostinato.core.errors import ConfigError
from ostinato.core.legend import Parameters
from ostinato.inspection.arrays import Array, array
from ostinato.inspection.watching import Place, SteppedCell, watching


@dataclass(frozen=True)
class Flow:
    """The gradient of a loss by the states of one layer, in one direction.

    Attributes:
        place: which layer.
        cell: name of its cell.
        norms: `[T+1, N]` by field of the state: |dL/dh_t| (|dL/dc_t|, ...) of each sequence. Row t is the state after
            t steps, row 0 the initial one; in reverse, steps are counted from the sequence's end.
        radii: spectral radius of each gate's block of W_hh, by gate; empty where the blocks are not square.
    """

    place: Place
    cell: str
    norms: dict[str, Array]
    radii: dict[str, float]


def gradient_flow(
    model: nn.Module,
    loss: Callable[[Any], Tensor],
    *inputs: Any,
    modules: Collection[str] | None = None,
    **arguments: Any,
) -> list[Flow]:
    """Norms of dL/dh_t back through time, by autograd through the reference loop.

    dL/dh_t is the total derivative: along the recurrence, through step t's own output, and through all the layers
    above; dL/dc_t includes the way through h_t. A loss that looks at the last step alone shows how much of it reaches
    step t.

    Args:
        model: any module with recurrent layers of this package, or such a layer; usually in eval mode. In float64
            nothing is lost to rounding.
        loss: of the model's output. A sum over the sequences, so that each has the gradient of its own loss.
        *inputs: what the model is called with.
        modules: names of the recurrent modules to follow it in; all of them where None.
        **arguments: what the model is called with, by name.

    Returns:
        A flow for each layer and direction, in the order in which they run. The model's own gradients stay as they are.

    Raises:
        ConfigError: no recurrent layer, or sequences of unequal lengths, whose steps cannot be counted together.
    """
    runs: list[tuple[Place, Cell, Parameters, list[Any]]] = []

    def watcher(place: Place, cell: Cell, p: Parameters, x: Tensor, state: Any, **options: Any) -> Unrolled:
        lengths = options.get("lengths")
        if lengths is not None and not bool((lengths == x.shape[0]).all()):
            raise ConfigError(f"expected sequences of {x.shape[0]} steps each, got lengths {lengths.tolist()}")
        seen: list[Any] = []

        def step(p: Parameters, projected: Tensor, state: Any) -> tuple[Tensor, Any]:
            seen.append(state)
            return cell.step(p, projected, state)

        # A leaf of its own for the initial state; without lengths each state is one tensor for output and recurrence.
        state = cell.State(*(field + torch.zeros_like(field, requires_grad=True) for field in state))
        ran = unroll(SteppedCell(cell, step).as_cell(), p, x, state, **options | {"lengths": None})
        runs.append((place, cell, p, [*seen, ran.final]))
        return ran

    with torch.enable_grad(), watching(model, watcher, modules):
        total = loss(model(*inputs, **arguments))
    fields = [field for *_, states in runs for state in states for field in state]
    found = torch.autograd.grad(total, fields, allow_unused=True)
    gradients = (torch.zeros_like(field) if g is None else g for field, g in zip(fields, found, strict=True))
    flows = []
    for place, cell, p, states in runs:
        rows = [[next(gradients).reshape(len(state[0]), -1).norm(dim=-1) for _ in state] for state in states]
        norms = {
            name: array(torch.stack(column))
            for name, column in zip(cell.State._fields, zip(*rows, strict=True), strict=True)
        }
        flows.append(Flow(place, cell.name, norms, spectral_radii(cell, p["weight_hh"]) if "weight_hh" in p else {}))
    return flows


def spectral_radius(matrix: Array | Tensor) -> float:
    """The largest absolute value among the eigenvalues of a square matrix.

    Repeated products grow where it is above 1 and vanish where it is below (Pascanu, Mikolov, Bengio 2013,
    arXiv:1211.5063).
    """
    values = array(matrix) if isinstance(matrix, Tensor) else matrix
    return float(np.abs(np.linalg.eigvals(values.astype(np.float64))).max())


def spectral_radii(cell: Cell, weight_hh: Tensor) -> dict[str, float]:
    """The spectral radius of each gate's block of `[G*H, R]`, by gate; empty where R is not H."""
    H = cell.hidden_size
    if weight_hh.shape[-1] != H or len(weight_hh) != len(cell.gates) * H:
        return {}
    return {
        gate: spectral_radius(block) for gate, block in zip(cell.gates, weight_hh.chunk(len(cell.gates)), strict=True)
    }


def scaled_to(matrix: Array, radius: float) -> Array:
    """A matrix times the number that makes its spectral radius `radius`."""
    return matrix * (radius / spectral_radius(matrix))


def repeated_product(weight: Array, start: Array, steps: int) -> Array:
    """What a linear recurrence does to a gradient on its way back: its norm after each product.

        dh_{t-1} = dh_t W_hh

    Args:
        weight: W_hh, `[H, H]`, as a layer holds it (`h W_hh^T` forward).
        start: the gradient at the end, `[N, H]`.
        steps: T.

    Returns:
        `[T]`: after 1, 2, ..., T products the root of the sum of squares, over N.
    """
    norms, dh = np.empty(steps), np.asarray(start, np.float64)
    for t in range(steps):
        dh = dh @ weight
        norms[t] = np.sqrt(np.sum(dh**2)) / len(dh)
    return norms


def clipped(norms: Array, threshold: float) -> Array:
    """Norms after clipping by the total norm: what is above the threshold is scaled down to it; 0 clips nothing."""
    return np.minimum(norms, threshold) if threshold > 0 else np.array(norms)


def gradient_norms(model: nn.Module, losses: Callable[[int], Tensor], count: int) -> Array:
    """Total gradient norm over all parameters of each of several losses, `[count]`, before any clipping.

    Args:
        model: whose parameters; their own gradients stay as they are.
        losses: loss number 0, 1, ..., computed when asked for.
        count: how many.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    norms = np.empty(count)
    for index in range(count):
        with torch.enable_grad():
            gradients = torch.autograd.grad(losses(index), parameters, allow_unused=True)
        found = [gradient for gradient in gradients if gradient is not None]
        norms[index] = float(torch.nn.utils.get_total_norm(found))
    return norms
