"""From the parts of a file to one model: an embedding, a recurrent stack and an output layer, told by their shapes;
or a stack alone as a layer."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, permutations, takewhile
from typing import Any

import numpy as np
import torch

from ostinato.core.errors import ConfigError, DataError
from ostinato.core.registry import lookup
from ostinato.interop.layouts import Array
from ostinato.interop.parts import Dense, Embedding, Found, Left, Part, Pooling, Stack
from ostinato.layers.recurrent import Recurrent

#: Arguments of layers that no option of a training sets.
_NO_OPTIONS = ("bias", "reverse", "merge", "hold_output")

#: Layers at most whose order is looked for, where the file's is none.
_MOST_REORDERED = 5


@dataclass
class Assembled:
    """A model of one sequence.

    Attributes:
        found: what it is made of.
        embedding: `[V, E]`; None where the inputs are features.
        stack: the recurrent layers.
        last: a last layer of another width; None where all are of one.
        output: the output layer.
        tied: whether its matrix is the embedding's.
        pooling: how the steps become one vector, where the file says.
        left: what was found and is not taken.
    """

    found: Found
    embedding: Array | None
    stack: Stack
    output: Dense
    last: Stack | None = None
    tied: bool = False
    pooling: str | None = None
    left: list[Left] = field(default_factory=list)

    @property
    def outputs(self) -> int:
        """C."""
        return len(self.output.weight)

    @property
    def output_bias(self) -> Array:
        """`[C]`, zeros where there is none."""
        return np.zeros(self.outputs, np.float32) if self.output.bias is None else self.output.bias

    @property
    def layers(self) -> int:
        """L, the last one included."""
        return self.stack.num_layers + (0 if self.last is None else 1)

    def layer_settings(self) -> dict[str, Any]:
        """Arguments that the models of all tasks have."""
        rates = {"dropout": 0.0, "recurrent_dropout": 0.0, "zoneout": 0.0}
        return {"hidden_size": self.stack.hidden_size, "num_layers": self.layers, **rates, **self.stack.settings()}

    def train_options(self) -> dict[str, Any]:
        """The same as options of `ostinato train`, as far as it has them."""
        own = {name: value for name, value in self.stack.settings().items() if name not in _NO_OPTIONS}
        return {
            "cell": own.pop("cell"),
            "hidden": self.stack.hidden_size,
            "layers": self.layers,
            "embed": None if self.embedding is None else self.embedding.shape[1],
            "dropout": 0.0,
            "cell_options": tuple(f"{name}={value}" for name, value in own.items()),
        }

    def looks_like(self) -> str:
        """The task: a language model scores its own vocabulary, from left to right."""
        if self.found.model == "lm":
            return "lm"
        same = self.embedding is not None and len(self.embedding) == self.outputs
        aligned = self.stack.directions == 1 and self.pooling is None and (self.last or self.stack).sequences
        return "lm" if same and aligned else "classify"


def assemble(found: Found, cell: str | None = None) -> Assembled:
    """The model that a file holds.

    Args:
        found: by `read`.
        cell: in place of the one that the weights look like: names those of as many gates.

    Raises:
        DataError: no recurrent layers, or ones that do not follow one another; no output layer, or several that may
            be it; says which, with shapes.
    """
    if needed := [one for one in found.left if one.needed]:
        shape = f" of shape {needed[0].shape}" if needed[0].shape else ""
        raise DataError(
            f"{found.source}: {needed[0].name}{shape}, {needed[0].why}: no run is the same model; ostinato.interop has "
            "the layers by themselves"
        )
    stacks = [_as_cell(stack, cell) for stack in found.of(Stack)]
    if not stacks:
        raise DataError(f"{found.source}: holds no recurrent layer; there are {_listed(found.parts)}")
    chain = _chain(found, stacks)
    stack, last = _joined(found, chain)
    embedding = _embedding(found, stack)
    width = (last or stack).output_size
    output = _output(found, width, embedding)
    if output is None and found.tied and embedding is not None:
        output = Dense(embedding.name, embedding.weight)
    if output is None:
        raise DataError(
            f"{found.source}: no output layer of {width} inputs behind {chain[-1].name}; there are "
            f"{_listed(found.parts)}; ostinato.interop has the layers by themselves"
        )
    pooled = [part.kind for part in found.of(Pooling)]
    taken = {part.name for part in (*chain, embedding, output) if part is not None}
    if found.ordered:
        _require_chain(found, [*chain], output)
    left = [Left(part.name, f"{part.said()}: no place in the model") for part in [*found.parts]
            if part.name not in taken and not isinstance(part, Pooling)]  # fmt: skip
    return Assembled(
        found,
        None if embedding is None else embedding.weight,
        stack,
        output,
        last,
        embedding is not None and np.array_equal(embedding.weight, output.weight),
        pooled[0] if pooled else None if chain[-1].sequences else "last",
        [*found.left, *left],
    )


def _require_chain(found: Found, stacks: Sequence[Stack], output: Dense) -> None:
    """That a model whose order is known is an embedding, recurrent layers, pooling and an output layer, no more."""
    kinds = {Embedding: 0, Stack: 1, Pooling: 2, Dense: 3}
    places = [kinds[type(part)] for part in found.parts]
    pairs = enumerate(pairwise(places), 1)
    wrong = next((index for index, (one, above) in pairs if one > above or one == above != kinds[Stack]), None)
    if wrong is not None:
        part, below = found.parts[wrong], found.parts[wrong - 1]
        raise DataError(
            f"{found.source}: {part.name} ({part.said()}) behind {below.name}: no run is the same model; "
            "expected an embedding, recurrent layers, pooling and a linear layer"
        )
    for stack in stacks:
        if stack.options.get("reverse") and stack.sequences:
            raise DataError(f"{found.source}: {stack.name} goes backwards and passes on all steps in that order")
    if output.activation not in ("linear", "softmax", "sigmoid"):
        raise DataError(f"{found.source}: {output.name} ends with {output.activation}; expected softmax or sigmoid")


def _as_cell(stack: Stack, cell: str | None) -> Stack:
    if cell is None or cell == stack.cell:
        return stack
    if len(lookup(cell).gates) != len(lookup(stack.cell).gates):
        raise ConfigError(
            f"--cell {cell}: has {len(lookup(cell).gates)} gates, {stack.name} is {stack.said()}, of "
            f"{len(lookup(stack.cell).gates)}"
        )
    return replace(stack, cell=cell)


def _chain(found: Found, stacks: Sequence[Stack]) -> list[Stack]:
    """The stacks, which follow one another."""
    if not found.ordered and len(stacks) <= _MOST_REORDERED:  # files of weights alone are in the order of their names
        fit = [one for one in permutations(stacks) if all(a.output_size == b.input_size for a, b in pairwise(one))]
        if len(fit) == 1:
            return list(fit[0])
    for below, above in pairwise(stacks):
        if above.input_size != below.output_size:
            raise DataError(
                f"{found.source}: {above.name} reads {above.input_size} features, {below.name} before it gives "
                f"{below.output_size}: not one stack; say which belong to the model by --map"
            )
    return list(stacks)


def _joined(found: Found, stacks: Sequence[Stack]) -> tuple[Stack, Stack | None]:
    """One stack of all, and one that is the last and of another width."""
    first, last = stacks[0], None
    if len(stacks) > 1 and stacks[-1].hidden_size != first.hidden_size and stacks[-1].num_layers == 1:
        last, stacks = stacks[-1], stacks[:-1]
        if (last.settings(), last.directions) != (first.settings(), first.directions):
            raise _differ(found, first, last)
    weights: dict[str, Array] = {}
    layers = 0
    for stack in stacks:
        if (stack.settings(), stack.directions, stack.hidden_size) != (
            first.settings(),
            first.directions,
            first.hidden_size,
        ):
            raise _differ(found, first, stack)
        for name, array in stack.weights.items():
            stem, _, rest = name.partition("_l")
            number, _, way = rest.partition("_")
            weights[f"{stem}_l{int(number) + layers}{'_' + way if way else ''}"] = array
        layers += stack.num_layers
    name = first.name if len(stacks) == 1 else f"{first.name} to {stacks[-1].name}"
    return replace(first, name=name, weights=weights, num_layers=layers, sequences=stacks[-1].sequences), last


def _differ(found: Found, one: Stack, other: Stack) -> DataError:
    return DataError(
        f"{found.source}: {other.name} ({other.said()}) is of another kind or width than {one.name} ({one.said()}); "
        "a run's layers are alike, but for the last one's width in a language model"
    )


def _embedding(found: Found, stack: Stack) -> Embedding | None:
    """The one whose vectors the stack reads: by its name where a mapping gave it, else the first of their width."""
    known = [part for part in found.of(Embedding) if part.weight.shape[1] == stack.input_size]
    for part in found.of(Dense):
        if part.undecided and part.bias is None and part.weight.shape[1] == stack.input_size and part.name != "output":
            known.append(Embedding(part.name, part.weight))
    first = stack.name.split(" to ")[0]
    before = list(takewhile(lambda part: part.name != first, found.parts))
    known.sort(key=lambda one: (one.name != "embedding", not any(part.name == one.name for part in before)))
    if not known and (wrong := found.of(Embedding)):
        raise DataError(
            f"{found.source}: {stack.name} reads {stack.input_size} features, the vectors of {wrong[0].name} are of "
            f"shape {wrong[0].weight.shape}"
        )
    return known[0] if known else None


def _output(found: Found, width: int, embedding: Embedding | None) -> Dense | None:
    """The linear layer that reads what the stack gives: the one with a bias, where there are several."""
    fit = [part for part in found.of(Dense) if part.weight.shape[1] == width]
    fit = [part for part in fit if embedding is None or part.name != embedding.name]
    if outputs := [part for part in fit if part.name == "output"]:
        return outputs[0]
    with_bias = [part for part in fit if part.bias is not None] or fit
    if len(with_bias) > 1:
        names = ", ".join(f"{part.name} {part.weight.shape}" for part in with_bias)
        raise DataError(
            f"{found.source}: several layers could be the output of {width} inputs: {names}; name one in --map: "
            f'"{with_bias[-1].name}" = "output"'
        )
    return with_bias[0] if with_bias else None


def _listed(parts: Sequence[Part]) -> str:
    return "; ".join(f"{part.name} ({part.said()})" for part in parts) or "none"


def layer(stack: Stack, *, batch_first: bool = False) -> Recurrent:
    """The layer with these weights, in evaluation.

    Args:
        stack: of a file.
        batch_first: sequences are `[N, T, ...]`.

    Raises:
        DataError: weights that do not make one layer; names the first that does not fit.
    """
    try:
        made = Recurrent(
            input_size=stack.input_size,
            hidden_size=stack.hidden_size,
            num_layers=stack.num_layers,
            bidirectional=stack.directions == 2,
            batch_first=batch_first,
            device="meta",
            **stack.settings(),
        )
    except ConfigError as error:
        raise DataError(f"{stack.name}: {error}") from None
    expected = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    for name in sorted(expected.keys() | stack.weights.keys()):
        there = stack.weights[name].shape if name in stack.weights else None
        if there != expected.get(name):
            raise DataError(f"{stack.name}: expected {name} of shape {expected.get(name)}, got {there}")
    made.load_state_dict({name: torch.from_numpy(array) for name, array in stack.weights.items()}, assign=True)
    return made.requires_grad_(True).eval()
