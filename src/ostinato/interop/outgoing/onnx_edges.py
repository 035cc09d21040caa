"""Graphs that take no sequences, and sequences of no steps: ONNX Runtime's recurrent operators end its process there.

With N = 0 its LSTM and GRU end the process, with T = 0 its GRU does (1.32). So inputs of no size are filled up
to a size of 1 before anything reads them, and what came of it is cut off the outputs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ostinato.interop.outgoing.graphs import Axis, Graph

#: Behind the names within the graph.
_WITHIN = "_within"


def let_empty_in(model: Any, graph: Graph) -> None:
    """Change a model of ONNX, in place, so that its free axes may be of size 0.

    Args:
        model: as it was written; its inputs and outputs are `graph`'s, in any order.
        graph: says which of their axes are free.
    """
    edges = _Edges(graph)
    renamed = {port.name: port.name + _WITHIN for port in graph.inputs if edges.free_in(port.axes)}
    filled = [edges.filled(port.name, renamed[port.name], port.axes) for port in graph.inputs if port.name in renamed]
    cut_ports = [port for port in graph.outputs if edges.free_in(port.axes)]
    renamed |= {port.name: port.name + _WITHIN for port in cut_ports}
    cut = [edges.cut(renamed[port.name], port.name, port.axes) for port in cut_ports]
    _rename(model.graph.node, renamed)
    inner = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*edges.sizes, *filled, *inner, *edges.ends, *cut])
    model.graph.initializer.extend(edges.constants)


class _Edges:
    """Nodes that fill and cut, those shared that find the sizes."""

    def __init__(self, graph: Graph) -> None:
        self.sizes: list[Any] = []
        self.ends: list[Any] = []
        self.constants: list[Any] = []
        self._shared: dict[tuple[Any, ...], str] = {}
        self._known: set[Axis] = set()
        zero, one = self._constant("no", [0]), self._constant("one", [1])
        for axis in graph.free:
            port, at = next((port, port.axes.index(axis)) for port in graph.inputs if axis in port.axes)
            size, less = f"size_{axis}", f"less_than_one_{axis}"
            self.sizes += [
                _node("Shape", [port.name], size, start=at, end=at + 1),
                _node("Sub", [one, size], less),
                _node("Max", [less, zero], f"missing_{axis}"),
            ]
            self._known.add(axis)

    def free_in(self, axes: Sequence[Axis]) -> list[int]:
        """Which of a tensor's axes are free."""
        return [at for at, axis in enumerate(axes) if axis in self._known]

    def filled(self, name: str, within: str, axes: Sequence[Axis]) -> Any:
        """The node that fills an input with zeros to a size of 1."""
        ends = [f"missing_{axis}" if axis in self._known else "no" for axis in axes]
        pads = self._joined(self.sizes, ("no",) * len(axes) + tuple(ends))
        return _node("Pad", [name, pads], within)

    def cut(self, within: str, name: str, axes: Sequence[Axis]) -> Any:
        """The node that cuts an output to the inputs' sizes."""
        free = self.free_in(axes)
        sizes = self._joined(self.ends, tuple(f"size_{axes[at]}" for at in free))
        starts = self._constant("no" * len(free), [0] * len(free))
        at = self._constant("axes_" + "_".join(map(str, free)), free)
        return _node("Slice", [within, starts, sizes, at], name)

    def _joined(self, nodes: list[Any], names: tuple[str, ...]) -> str:
        if len(names) == 1:
            return names[0]
        if names not in self._shared:
            self._shared[names] = f"joined_{len(self._shared)}"
            nodes.append(_node("Concat", names, self._shared[names], axis=0))
        return self._shared[names]

    def _constant(self, name: str, values: Sequence[int]) -> str:
        from onnx import numpy_helper

        if (name,) not in self._shared:
            self._shared[name,] = name
            self.constants.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, [output], name=f"edge_{output}", **attributes)


def _rename(nodes: Any, names: Mapping[str, str]) -> None:
    """Values by their new names, in bodies of loops too."""
    for node in nodes:
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                own = {value.name for value in body.input}
                _rename(body.node, {old: new for old, new in names.items() if old not in own})
