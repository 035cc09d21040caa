"""Looking on while a model runs: every step of every recurrent layer, by the reference loop."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ostinato.cells import form
from ostinato.cells.contract import Cell
from ostinato.cells.unroll import Unrolled
from ostinato.core.errors import ConfigError
from ostinato.core.legend import Parameters
from ostinato.layers.recurrent import Recurrent

#: `step` of a cell, and the one in its place.
Step = Callable[[Parameters, Tensor, Any], tuple[Tensor, Any]]
#: Called with a layer's place and with what `cells.unroll.unroll` takes; returns what that returns.
Watcher = Callable[..., Unrolled]

#: Functions of one tensor, each unit by itself, that squash: what a gate passes through, by every name torch has.
_SQUASHING = {
    *("sigmoid", "tanh", "hardsigmoid", "hardtanh", "softsign", "softplus", "relu", "relu6", "leaky_relu", "elu"),
    *("selu", "gelu", "silu", "mish", "exp"),
}
_ALIASES = {"special_expit": "sigmoid", "hard_sigmoid": "hardsigmoid"}


class Place(NamedTuple):
    """Which run of a cell over a sequence this is.

    Attributes:
        name: of the module within the model, such as "recurrent".
        layer: from 0, the lowest.
        reverse: whether it runs from the end to the start.
    """

    name: str
    layer: int
    reverse: bool

    @property
    def label(self) -> str:
        """For people: "layer 1", "encoder, layer 2, reverse"; layers are counted from 1."""
        module = "" if self.name in ("", "recurrent") else f"{self.name}, "
        return f"{module}layer {self.layer + 1}{', reverse' if self.reverse else ''}"


class SteppedCell:
    """A cell in all but its step."""

    def __init__(self, cell: Cell, step: Step) -> None:
        self._cell, self.step = cell, step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cell, name)

    def as_cell(self) -> Cell:
        """The same, for the type checker."""
        return cast(Cell, self)


@contextmanager
def watching(model: nn.Module, watcher: Watcher, modules: Collection[str] | None = None) -> Iterator[None]:
    """Within the block, the recurrent layers of a model are run by `watcher(place, cell, p, x, state, ...)`.

    Args:
        model: any module.
        watcher: runs a cell over a sequence.
        modules: names of the modules to watch; all that are recurrent where None.

    Raises:
        ConfigError: the model has no such layer of this package.
    """
    found = {name: module for name, module in model.named_modules() if isinstance(module, Recurrent)}
    layers = {name: layer for name, layer in found.items() if modules is None or name in modules}
    if not layers:
        raise ConfigError(
            f"expected a model with a layer of ostinato (Recurrent, RNN, LSTM, GRU), got {type(model).__name__} with "
            f"{', '.join(map(repr, found)) or 'none'}"
        )
    before = {name: layer.runner for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            layer.runner = _runner(name, layer, watcher)
        yield
    finally:
        for name, layer in layers.items():
            layer.runner = before[name]


def _runner(name: str, layer: Recurrent, watcher: Watcher) -> Callable[..., Unrolled]:
    """Counts the calls: layer by layer, and within it direction by direction."""
    calls, directions = 0, 2 if layer.bidirectional else 1

    def run(cell: Cell, p: Parameters, x: Tensor, state: Any, **options: Any) -> Unrolled:
        nonlocal calls
        index = calls % (layer.num_layers * directions)
        calls += 1
        return watcher(Place(name, index // directions, bool(options.get("reverse"))), cell, p, x, state, **options)

    return run


class Activation(NamedTuple):
    """One use of a squashing function: its name, what went in, what came out."""

    function: str
    before: Tensor
    after: Tensor


class Activations(TorchFunctionMode):
    """Notes every squashing function that is used within the block, whatever way it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Activation] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See torch."""
        name = getattr(func, "__name__", "")
        function = _ALIASES.get(plain := name.rstrip("_"), plain)
        if function not in _SQUASHING or not args or not isinstance(args[0], Tensor):
            return func(*args, **(kwargs or {}))
        before = args[0].clone() if name.endswith("_") else args[0]  # in place: it will be overwritten
        after = func(*args, **(kwargs or {}))
        self.seen.append(Activation(function, before, after))
        return after


def probe(cell: Cell, p: Parameters) -> dict[str, tuple[int, int]]:
    """Where in a step each gate's value comes to light.

    A gate's value is what a squashing function makes of its *pre-activation*, and that is a sum of the gate's rows of
    the projected input and of anything else. So a gate is known by a derivative: that of the pre-activation by the
    gate's own rows is the identity. That of an LSTM's c by any rows is not, so that tanh(c) is taken for no gate.

    Args:
        cell: any.
        p: its parameters.

    Returns:
        By gate the index of the activation within a step, and of its part of H units where several gates are squashed
        at once. A gate that no squashing function sees in this way is left out.
    """
    generator = torch.Generator().manual_seed(0)
    like, H = next(iter(p.values())), cell.hidden_size

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(like)

    if getattr(cell, "clip", None) is not None:  # a sum at its bound has no derivative, and says nothing of its rows
        cell = replace(cast(Any, cell), clip=None)
    if form.projected_size(cell) != len(cell.gates) * H:
        return {}
    p = {name: tensor.detach() for name, tensor in p.items() if name != "recurrent_mask"}
    state = cell.State(*(normal(*field.shape) for field in cell.initial_state(2, like)))
    found: dict[str, tuple[int, int]] = {}
    with torch.enable_grad():
        projected = normal(2, len(cell.gates) * H).requires_grad_()
        with Activations() as activations:
            cell.step(p, projected, state)
        for index, (_, before, _) in enumerate(activations.seen):
            whole = before.requires_grad and before.shape[-1] % H == 0
            for part, units in enumerate(before.chunk(before.shape[-1] // H, dim=-1) if whole else ()):
                weights = normal(*units.shape)
                (gradient,) = torch.autograd.grad((units * weights).sum(), projected, retain_graph=True)
                for gate, rows in zip(cell.gates, gradient.chunk(len(cell.gates), dim=-1), strict=True):
                    same = rows.shape == weights.shape and torch.allclose(rows, weights, rtol=1e-5, atol=1e-6)
                    if gate not in found and same:
                        found[gate] = index, part
    return found
