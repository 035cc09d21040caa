"""ONNX Runtime's operators for recurrent layers: forward only."""

import logging
import tempfile
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ostinato.bench.problem import Problem, Results
from ostinato.cells import form


class OnnxRuntime:
    """A graph of one operator; inputs and outputs bound once, so that nothing is copied or allocated by a run."""

    within = staticmethod(nullcontext[None])

    def __init__(self, problem: Problem) -> None:
        ort = import_module("onnxruntime")
        self._problem = problem
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        fields = len(problem.cell.State._fields)
        graph = model(problem, steps=problem.row.T)
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        T, (N, H) = problem.row.T, (problem.row.N, problem.row.H)
        self._x = problem.x.numpy()
        self._output = np.empty((T, 1, N, H), np.float32)
        self._final = [np.empty((1, N, H), np.float32) for _ in range(fields)]
        self._binding = self._session.io_binding()
        value = ort.OrtValue.ortvalue_from_numpy
        self._held = [value(self._x), value(self._output), *map(value, self._final)]
        self._binding.bind_ortvalue_input("x", self._held[0])
        for name, held in zip(("output", *problem.cell.State._fields), self._held[1:], strict=True):
            self._binding.bind_ortvalue_output(name, held)

    def run(self) -> Any:
        """One run of the session."""
        self._session.run_with_iobinding(self._binding)

    def results(self) -> Results:
        """Output and final state."""
        self.run()
        output, *final = (torch.from_numpy(np.array(held.numpy())) for held in self._held[1:])
        names = (f"final {field}" for field in self._problem.cell.State._fields)
        return {"output": output.squeeze(1), **{n: f.squeeze(0) for n, f in zip(names, final, strict=True)}}


def model(problem: Problem, steps: int, *, stateful: bool = False) -> bytes:
    """A graph of one operator over so many steps, the weights inside; with inputs `h_before`, ... where stateful."""
    onnx = import_module("onnx")
    helper, kind = import_module("onnx.helper"), onnx.TensorProto.FLOAT
    operator = form.onnx_operator(problem.cell)
    assert operator is not None
    order = tuple(map(problem.cell.gates.index, operator.gates))
    T, N, D, H = steps, problem.row.N, problem.row.D, problem.row.H
    weights = {name: _reordered(p.detach(), order) for name, p in problem.layer.named_parameters()}
    arrays = {
        "W": weights["weight_ih_l0"],
        "R": weights["weight_hh_l0"],
        "B": np.concatenate([weights["bias_ih_l0"], weights["bias_hh_l0"]]),
    }
    from_numpy = import_module("onnx.numpy_helper").from_array
    constants = [from_numpy(np.ascontiguousarray(array[None]), name) for name, array in arrays.items()]
    states = problem.cell.State._fields
    before = [f"{name}_before" for name in states] if stateful else []
    inputs = ["x", *arrays, *(["", *before] if before else [])]  # "": no lengths
    node = helper.make_node(operator.name, inputs, ["output", *states], hidden_size=H, **operator.attributes)
    shapes = {"output": [T, 1, N, H], **{name: [1, N, H] for name in states}}
    read = {"x": [T, N, D], **{name: [1, N, H] for name in before}}
    graph = helper.make_graph(
        [node],
        operator.name,
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in read.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return bytes(made)


def quantised(graph: bytes) -> bytes:
    """A graph whose LSTM has weights of 8 bits, a scale for each row, by ONNX Runtime's own tool."""
    quantization = import_module("onnxruntime.quantization")
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(graph)
        kind = quantization.QuantType.QInt8
        logging.disable(logging.WARNING)  # that a graph of one node was not simplified before
        try:
            quantization.quantize_dynamic(
                before, after, op_types_to_quantize=["LSTM"], weight_type=kind, per_channel=True
            )
        finally:
            logging.disable(logging.NOTSET)
        return after.read_bytes()


def _reordered(tensor: torch.Tensor, order: tuple[int, ...]) -> Any:
    gates = tensor.chunk(len(order))
    return torch.cat([gates[index] for index in order]).numpy()
