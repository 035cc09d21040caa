"""ONNX graphs: nodes RNN, LSTM and GRU, embeddings (Gather), linear layers (Gemm, MatMul and Add), wherever they are.

Weights that the graph computes from constants, as exporters leave them, are computed here by ONNX's own reference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.core.errors import ConfigError, DataError
from ostinato.interop.layouts import Array
from ostinato.interop.onnx_nodes import UnlikeError, recurrent
from ostinato.interop.parts import Dense, Embedding, Found, Left, numbers

#: Operators by which weights may be computed from constants: none makes much of little.
_FOLDED = {"Unsqueeze", "Squeeze", "Slice", "Concat", "Transpose", "Cast", "Identity", "Reshape", "Gather", "Split",
           "Constant"}  # fmt: skip
#: Operators that move numbers and do not change them, or do nothing in evaluation.
_MOVES = _FOLDED | {"Shape", "ConstantOfShape", "Expand", "Dropout", "Softmax", "LogSoftmax", "Sigmoid", "Flatten"}
_FOLLOWS = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid", "Relu": "relu", "Tanh": "tanh"}


def read_onnx(path: Path, names: Mapping[str, str]) -> Found:
    """All nodes of a graph and of the graphs within it.

    Raises:
        ConfigError: onnx is not installed.
        DataError: it is damaged, or its weights are not in it.
    """
    try:
        import onnx
    except ImportError:
        raise ConfigError(f"{path}: files of ONNX need the package onnx: pip install 'ostinato[interop]'") from None
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except Exception as error:  # protobuf raises its own
        raise DataError(f"{path}: damaged or cut off, not a whole ONNX model: {type(error).__name__}") from None
    if not model.graph.node:
        raise DataError(f"{path}: damaged, or no ONNX model: it has no nodes")
    version = max((one.version for one in model.opset_import if not one.domain), default=1)
    graph = _Graph(str(path), version)
    for one in _graphs(model.graph):
        graph.note(one)
    return _found(graph).renamed(names)


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for within in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(within)


@dataclass
class _Graph:
    """Nodes in order, and who makes and who reads each value: names are unique throughout."""

    source: str
    version: int
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    made_by: dict[str, Any] = field(default_factory=dict)
    read_by: dict[str, list[Any]] = field(default_factory=dict)

    def note(self, graph: Any) -> None:
        """Take up the nodes of a graph."""
        self.constants |= {one.name: one for one in graph.initializer}
        for node in graph.node:
            self.nodes.append(node)
            self.made_by |= dict.fromkeys(node.output, node)
            for name in node.input:
                self.read_by.setdefault(name, []).append(node)

    def value(self, where: str, name: str) -> np.ndarray[Any, Any] | None:
        """A constant, or what is computed from constants alone; None where it depends on an input."""
        needed = self._cone(name)
        if needed is None:
            return None
        nodes, tensors = needed
        held = {key: self._array(where, tensor) for key, tensor in tensors.items()}
        if not nodes:
            return held[name]
        from onnx import TensorProto, helper
        from onnx.reference import ReferenceEvaluator

        inputs = [helper.make_tensor_value_info(key, TensorProto.UNDEFINED, None) for key in held]
        output = helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None)
        graph = helper.make_graph(nodes, "weights", inputs, [output])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.version)])
        try:
            results: Any = ReferenceEvaluator(model).run(None, held)
        except Exception as error:  # the reference raises whatever its operators do
            raise DataError(f"{where}: its weights {name} cannot be computed: {error!r}") from None
        return np.asarray(results[0])

    def _cone(self, name: str) -> tuple[list[Any], dict[str, Any]] | None:
        """The nodes, in order, and the constants that a value depends on."""
        seen: set[int] = set()
        tensors: dict[str, Any] = {}
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if one in self.constants:
                tensors[one] = self.constants[one]
            elif one:
                node = self.made_by.get(one)
                if node is None or node.op_type not in _FOLDED:
                    return None
                if id(node) not in seen:
                    seen.add(id(node))
                    waiting += node.input
        return [node for node in self.nodes if id(node) in seen], tensors

    def _array(self, where: str, tensor: Any) -> np.ndarray[Any, Any]:
        from onnx import TensorProto, numpy_helper

        shape = tuple(tensor.dims)
        if tensor.data_location == TensorProto.EXTERNAL:
            raise DataError(f"{where}: {tensor.name} of shape {shape} is kept outside of the file; save it within")
        try:
            return numpy_helper.to_array(tensor)
        except Exception as error:  # of damaged tensors, whatever comes
            raise DataError(f"{where}: {tensor.name} of shape {shape}: damaged: {error}") from None

    def follows(self, name: str) -> str:
        """The activation behind a value."""
        while True:
            readers = self.read_by.get(name, [])
            if len(readers) != 1:
                return "linear"
            if readers[0].op_type in _FOLLOWS:
                return _FOLLOWS[readers[0].op_type]
            if readers[0].op_type not in _MOVES:
                return "linear"
            name = readers[0].output[0]


def _found(graph: _Graph) -> Found:
    found = Found(graph.source, "ONNX")
    taken: set[int] = set()
    others: dict[str, str] = {}
    for index, node in enumerate(graph.nodes):
        name = node.name or (node.output[0] if node.output else node.op_type)
        if node.op_type in ("RNN", "LSTM", "GRU"):
            _recurrent(found, graph, node, name)
        elif node.op_type == "Gather" and (table := _matrix(graph, node, name, 0)) is not None:
            found.parts.append(Embedding(name, table))
        elif node.op_type in ("Gemm", "MatMul") and (matrix := _matrix(graph, node, name, 1)) is not None:
            taken |= _dense(found, graph, node, name, matrix)
        elif node.op_type not in _MOVES and id(node) not in taken:
            others.setdefault(node.op_type, f"{name} ({index})")
    found.left += [Left(f"operator {kind}", f"at {first}", needed=True) for kind, first in others.items()]
    return found


def _recurrent(found: Found, graph: _Graph, node: Any, name: str) -> None:
    where = f"{graph.source}: {name}"
    inputs = [*node.input, *[""] * (8 - len(node.input))]
    arrays: list[Array | None] = []
    for key in (inputs[1], inputs[2], inputs[3], inputs[7]):
        value = graph.value(where, key) if key else None
        if key and value is None:
            found.left.append(Left(name, f"{node.op_type}: its weights {key} are not constant", needed=True))
            return
        arrays.append(None if value is None else numbers(f"{where} {key}", value))
    for key in (inputs[5], inputs[6]):
        start = graph.value(where, key) if key else None
        if start is not None and np.any(start):
            found.left.append(Left(name, "starts from a state of its own", start.shape, needed=True))
    try:
        found.parts.append(recurrent(where, name, node, arrays))
    except UnlikeError as reason:
        found.left.append(Left(name, f"{node.op_type}: {reason}", needed=True))


def _matrix(graph: _Graph, node: Any, name: str, at: int) -> Array | None:
    """A constant matrix of numbers among the inputs of a node; None where it is something else."""
    where = f"{graph.source}: {name}"
    value = graph.value(where, node.input[at])
    return numbers(where, value) if value is not None and value.ndim == 2 and value.dtype.kind == "f" else None


def _dense(found: Found, graph: _Graph, node: Any, name: str, matrix: Array) -> set[int]:
    """A linear layer; returns the nodes besides that are part of it."""
    where, output = f"{graph.source}: {name}", node.output[0]
    attributes = {one.name: one for one in node.attribute}
    bias, used = None, set()
    if node.op_type == "Gemm":
        rows = "transB" in attributes and attributes["transB"].i
        scaled = any(attributes[one].f != 1 for one in ("alpha", "beta") if one in attributes)
        if scaled or ("transA" in attributes and attributes["transA"].i):
            found.left.append(Left(name, "Gemm: scaled, or of a transposed input", matrix.shape, needed=True))
            return set()
        given = graph.value(where, node.input[2]) if len(node.input) > 2 else None
        weight = matrix if rows else matrix.T
    else:
        given, weight = None, matrix.T
        readers = graph.read_by.get(output, [])
        if len(readers) == 1 and readers[0].op_type == "Add":
            (other,) = [one for one in readers[0].input if one != output] or [""]
            given = graph.value(where, other)
            if given is not None:
                used, output = {id(readers[0])}, readers[0].output[0]
    if given is not None:
        bias = numbers(f"{where} bias", given).reshape(-1)
        if len(bias) != len(weight):
            raise DataError(f"{where}: expected a bias of {len(weight)} numbers, got shape {given.shape}")
    found.parts.append(Dense(name, np.ascontiguousarray(weight), bias, graph.follows(output)))
    return used
