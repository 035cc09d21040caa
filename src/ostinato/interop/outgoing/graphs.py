"""A model as graphs: tensors in and tensors out, with names, axes and meanings for whoever has to feed them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

#: An axis: a letter of the legend where its size is free, else the size.
Axis: TypeAlias = str | int


@dataclass(frozen=True)
class Port:
    """A tensor that goes into a graph, or comes out of it.

    Attributes:
        name: what it is called in the file.
        axes: its shape, such as `("T", "N", 64)`.
        meaning: what it is, for those who read the file.
        kind: its dtype.
        below: of integers: values are from 0 up to, and not including, this; a letter is the axis' size.
        upto: of lengths: the axis that they count along, whose size is the largest of them.
    """

    name: str
    axes: tuple[Axis, ...]
    meaning: str
    kind: Literal["float32", "int64", "uint8", "bool"] = "float32"
    below: Axis = 1
    upto: str | None = None

    def example(self, sizes: Mapping[str, int], generator: torch.Generator | None = None) -> Tensor:
        """A random tensor of this kind: numbers of N(0, 1), ids, lengths.

        Args:
            sizes: of the axes that are free.
            generator: torch's own by default.
        """
        shape = [sizes[axis] if isinstance(axis, str) else axis for axis in self.axes]
        if self.kind == "float32":
            return torch.randn(shape, generator=generator)
        if self.kind == "bool":
            return torch.rand(shape, generator=generator) < 0.5
        below = sizes[self.below] if isinstance(self.below, str) else self.below
        below = below if self.upto is None else sizes[self.upto] + 1
        return torch.randint(0, below, shape, generator=generator, dtype=getattr(torch, self.kind))


@dataclass(frozen=True)
class Graph:
    """One graph of a model.

    Attributes:
        module: takes the inputs by place, gives a tuple of the outputs; in eval mode.
        inputs: what goes in.
        outputs: what comes out.
        initial: of the inputs `state_X` that an output `next_X` follows: a value of N = 1 to begin with.
    """

    module: nn.Module
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    initial: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def free(self) -> list[str]:
        """The free axes of the inputs, each once."""
        return list(dict.fromkeys(axis for port in self.inputs for axis in port.axes if isinstance(axis, str)))

    def examples(self, sizes: Mapping[str, int], generator: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Random inputs of these sizes; states are some that the model reaches, by a call on other random inputs."""
        given = self._drawn(sizes, generator)
        if self.initial:
            with torch.no_grad():
                found = self.module(*given.values())
            after = {
                port.name.replace("next_", "state_", 1): one for port, one in zip(self.outputs, found, strict=True)
            }
            given = self._drawn(sizes, generator) | {name: after[name] for name in self.initial}
        return tuple(given.values())

    def _drawn(self, sizes: Mapping[str, int], generator: torch.Generator | None) -> dict[str, Tensor]:
        drawn = {}
        for port in self.inputs:
            drawn[port.name] = port.example(sizes, generator)
            if port.name in self.initial:
                drawn[port.name] = self.initial[port.name].expand_as(drawn[port.name]).clone()
        return drawn
