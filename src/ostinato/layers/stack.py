"""Cells one above the other, all of one kind or each of its own, and the state of all of them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from torch import Tensor

from ostinato.cells import form
from ostinato.cells.contract import Cell, check_sizes
from ostinato.core import states
from ostinato.core.errors import ConfigError
from ostinato.core.registry import build, resized
from ostinato.layers import shapes

#: What `Recurrent` takes: a registered cell's name, a cell, or one for each layer.
Cells = str | Cell | list[Cell] | tuple[Cell, ...]


class Stack(NamedTuple):
    """The cells of a layer, and the form of their state.

    Where all layers have the same fields of the same sizes, the state is the cell's, each field `[L*S, N, ...]`. Where
    they have not, in a mixed stack, it is a tuple of the fields of each layer, one layer after the other, each
    `[S, N, ...]`.

    Attributes:
        cells: the lowest first.
        directions: S.
        mixed: whether the layers' states differ.
    """

    cells: tuple[Cell, ...]
    directions: int
    mixed: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Of the state's fields."""
        if not self.mixed:
            return tuple(self.cells[0].State._fields)
        return tuple(f"{field}_l{layer}" for layer, cell in enumerate(self.cells) for field in cell.State._fields)

    def initial(self, batch_size: int, like: Tensor) -> list[Any]:
        """The state of each layer and direction before the first step, `[N, ...]` a field."""
        return [cell.initial_state(batch_size, like) for cell in self.cells for _ in range(self.directions)]

    def join(self, parts: Sequence[Any], combine: Callable[[tuple[Tensor, ...]], Tensor]) -> Any:
        """One state of those of each layer and direction.

        Args:
            parts: these.
            combine: makes one field of several layers' or directions'.
        """
        if not self.mixed:
            return self.cells[0].State(*map(combine, zip(*parts, strict=True)))
        groups = (parts[index : index + self.directions] for index in range(0, len(parts), self.directions))
        return tuple(combine(field) for group in groups for field in zip(*group, strict=True))

    def part(self, state: Sequence[Tensor], layer: int, direction: int = 0) -> Any:
        """The state of one layer and direction, `[N, ...]` a field, of that of all."""
        kind = self.cells[layer].State
        if not self.mixed:
            return kind(*(field[layer * self.directions + direction] for field in state))
        first = sum(len(cell.State._fields) for cell in self.cells[:layer])
        return kind(*(field[direction] for field in state[first : first + len(kind._fields)]))

    def read(self, hx: Any, batch_size: int, like: Tensor, *, batched: bool, batch_first: bool) -> tuple[Tensor, ...]:
        """The fields of a state that was passed, in the package's own layout.

        Args:
            hx: a tuple, or a tensor alone where there is one field.
            batch_size: N.
            like: a parameter.
            batched: whether there is a dimension for N.
            batch_first: whether it is the first.

        Raises:
            TensorError: it does not fit; says what was expected and what came.
        """
        kinds = self.cells if self.mixed else self.cells[:1]
        ones = [field for cell in kinds for field in cell.initial_state(batch_size, like)]
        dimensions = [one.dim() + batched for one in ones]
        fields = shapes.state_fields(self.names, hx, dimensions)
        if not batched:
            fields = tuple(field.unsqueeze(1) for field in fields)
        elif batch_first:
            fields = tuple(field.transpose(0, 1) for field in fields)
        layers = self.directions * (1 if self.mixed else len(self.cells))
        shapes.check_state(self.names, fields, ones, layers)
        return fields


def stacked(
    cell: Cells,
    input_size: int | None,
    hidden_size: int | None,
    num_layers: int,
    *,
    bias: bool,
    directions: int,
    joined: int,
    options: Mapping[str, Any],
) -> Stack:
    """The cells of a stack, each as wide at its input as the one below is at its output.

    Args:
        cell: a name, a cell for every layer, or one for each.
        input_size: D; None where cells say it.
        hidden_size: H; None where cells say it.
        num_layers: L.
        bias: whether there are biases, where a name is given.
        directions: S.
        joined: how many directions' outputs an upper layer reads side by side.
        options: of a cell given by its name.

    Raises:
        ConfigError: sizes, or cells one above the other, that do not fit; options beside a cell that has its own.
    """
    if isinstance(cell, str):
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        check_sizes(cell, sizes)
        assert input_size is not None
        assert hidden_size is not None
        first: Cell = build(cell, input_size, hidden_size, bias, **options)
        cells = _alike(first, num_layers, joined)
    else:
        if options:
            raise ConfigError(
                f"a cell has its own options: leave out {', '.join(map(repr, options))}, or give its name"
            )
        if isinstance(cell, list | tuple):
            cells = _given(cell, num_layers, joined)
        else:
            check_sizes(cell.name, {"num_layers": num_layers})
            cells = _alike(cell, num_layers, joined)
        _check_agreement(cells, input_size, hidden_size, bias)
        for one in cells:
            states.declare(one.State)
    sizes_of = [(one.State, form.state_sizes(one)) for one in cells]
    return Stack(cells, directions, any(sizes != sizes_of[0] for sizes in sizes_of))


def _alike(first: Cell, num_layers: int, joined: int) -> tuple[Cell, ...]:
    above = [resized(first, first.output_size * joined, first.hidden_size)] * (num_layers - 1) if num_layers > 1 else []
    return first, *above


def _given(cells: Sequence[Cell], num_layers: int, joined: int) -> tuple[Cell, ...]:
    if not cells or num_layers not in (1, len(cells)):
        raise ConfigError(f"expected a cell for each of num_layers={num_layers} layers, got {len(cells)}")
    for layer, (below, above) in enumerate(pairwise(cells), 1):
        if above.input_size != below.output_size * joined:
            raise ConfigError(
                f"the cell of layer {layer} ({above.name}) expects {above.input_size} features, the layer below gives "
                f"{below.output_size * joined}: make it with input_size={below.output_size * joined}"
            )
    return tuple(cells)


def _check_agreement(cells: tuple[Cell, ...], input_size: int | None, hidden_size: int | None, bias: bool) -> None:
    for label, given, own in (
        ("input_size", input_size, cells[0].input_size),
        ("hidden_size", hidden_size, cells[-1].hidden_size),
    ):
        if given not in (None, own):
            raise ConfigError(f"{label}={given} beside a cell of {label}={own}: leave it out, the cell says it")
    if not bias and any(cell.bias for cell in cells):
        raise ConfigError("bias=False beside a cell with biases: make the cell with bias=False")
