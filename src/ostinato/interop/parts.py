"""What a file of another program holds, whatever its format: recurrent stacks, embeddings, output layers, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ostinato.core.errors import DataError
from ostinato.interop.layouts import Array


@dataclass
class Stack:
    """Recurrent layers, one above the other, of one cell and one width.

    Attributes:
        name: theirs.
        layer: what the layer is called there, such as "LSTM".
        cell: ours.
        weights: by our names, `weight_ih_l0` to `bias_hh_l1_reverse`.
        num_layers: L.
        directions: 1 or 2.
        options: of `Recurrent` and of the cell that differ from their defaults: `reverse`, `merge`, `activation`.
        sequences: whether it passes on each step's output; else the last one alone.
    """

    name: str
    layer: str
    cell: str
    weights: dict[str, Array]
    num_layers: int = 1
    directions: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    sequences: bool = True

    @property
    def input_size(self) -> int:
        """D."""
        return self.weights["weight_ih_l0"].shape[1]

    @property
    def width(self) -> int:
        """O of one direction."""
        return self.weights["weight_hh_l0"].shape[1]

    @property
    def hidden_size(self) -> int:
        """H."""
        projection = self.weights.get("weight_hr_l0")
        return self.width if projection is None else projection.shape[1]

    @property
    def output_size(self) -> int:
        """Features of an output, of both directions together."""
        return self.width * (self.directions if self.options.get("merge", "concat") == "concat" else 1)

    @property
    def bias(self) -> bool:
        """Whether there are biases."""
        return "bias_ih_l0" in self.weights

    def settings(self) -> dict[str, Any]:
        """Arguments of `Recurrent` besides the sizes of input and layers."""
        own = dict(self.options)
        if "weight_hr_l0" in self.weights:
            own["proj_size"] = self.width
        return {"cell": self.cell, **({} if self.bias else {"bias": False}), **own}

    def said(self) -> str:
        """One line on what it is."""
        layers = f"{self.num_layers} layers, " if self.num_layers > 1 else ""
        both = ", both directions" if self.directions == 2 else ""
        more = "".join(f", {name}={value}" for name, value in self.options.items())
        shape = f"{self.input_size} -> {self.hidden_size}" + (
            f" -> {self.width}" if self.width != self.hidden_size else ""
        )
        return f"{self.layer}, {layers}{shape}{both}{more}"


@dataclass
class Embedding:
    """A vector for each id, `[V, E]`."""

    name: str
    weight: Array

    def said(self) -> str:
        """One line on what it is."""
        return f"embedding, {len(self.weight)} x {self.weight.shape[1]}"


@dataclass
class Dense:
    """A linear layer, `[C, D]` and its bias `[C]`; a matrix whose use nothing says yet is one without.

    Attributes:
        activation: what follows; "linear" where the file does not say.
        undecided: whether it may as well be an embedding.
    """

    name: str
    weight: Array
    bias: Array | None = None
    activation: str = "linear"
    undecided: bool = False

    def said(self) -> str:
        """One line on what it is."""
        follows = "" if self.activation == "linear" else f", {self.activation}"
        what = "matrix" if self.undecided and self.bias is None else "linear layer"
        return f"{what}, {self.weight.shape[1]} -> {len(self.weight)}{follows}"


@dataclass
class Pooling:
    """What makes one vector of all steps: "max" or "mean"."""

    name: str
    kind: str

    def said(self) -> str:
        """One line on what it is."""
        return f"{self.kind} over all steps"


@dataclass(frozen=True)
class Left:
    """What is not taken, and why; `needed` is what a model would not be the same without."""

    name: str
    why: str
    shape: tuple[int, ...] = ()
    needed: bool = False


Part = Stack | Embedding | Dense | Pooling


@dataclass
class Found:
    """All of a file.

    Attributes:
        source: the file.
        format: in words.
        parts: in the order of the file.
        left: what is not taken.
        model: which model it is, where the format says: "lm", "seq2seq", "peeky", "attention".
        tied: whether the output layer has the embedding's matrix.
        ordered: whether the parts are those of one model, each reading the one before.
    """

    source: str
    format: str
    parts: list[Part] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    model: str | None = None
    tied: bool = False
    ordered: bool = False

    def of(self, kind: type[Any]) -> list[Any]:
        """The parts of one kind."""
        return [part for part in self.parts if isinstance(part, kind)]

    def renamed(self, names: Mapping[str, str]) -> "Found":
        """With our names in place of theirs, where a mapping has them; without those that it does not name."""
        if not names:
            return self
        known = {part.name for part in self.parts}
        if unknown := [name for name in names if name not in known and name not in names.values()]:
            there = ", ".join(sorted(known))
            raise DataError(f"{self.source}: --map names {unknown[0]!r}, which is not there; there are {there}")
        kept = [replace(part, name=names.get(part.name, part.name)) for part in self.parts]
        wanted = set(names.values())
        gone = [Left(part.name, "not in --map") for part in kept if part.name not in wanted]
        return replace(self, parts=[part for part in kept if part.name in wanted], left=[*self.left, *gone])


def numbers(where: str, value: Any) -> Array:
    """An array of float32 of its own.

    Raises:
        DataError: no numbers, or some that are not finite; names them and their shape.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" and str(array.dtype) != "bfloat16":
        raise DataError(f"{where}: expected numbers, got {array.dtype} of shape {array.shape}")
    found = np.array(array, np.float32, order="C")
    if not np.isfinite(found).all():
        raise DataError(f"{where}: holds numbers that are not finite, in shape {found.shape}; expected finite weights")
    return found
