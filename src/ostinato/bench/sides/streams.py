"""One step at a time, the state kept: a layer's stream and what peers have for it."""

import copy
from importlib import import_module
from typing import Any

import numpy as np
import torch

from ostinato.bench.problem import Problem, Results
from ostinato.bench.sides.onnx_runtime import model, quantised


class OurStream:
    """`layer.stream`, written to the same tensor at each step; its weights by default as the group says."""

    within = staticmethod(torch.no_grad)

    def __init__(self, problem: Problem, *, weights: str | None = None) -> None:
        self._x = problem.x
        weights = weights or ("int8" if problem.group.precision == "int8" else "float32")
        self._stream = copy.deepcopy(problem.layer).stream(problem.row.N, weights)
        self._out = torch.empty_like(problem.upstream[0])

    def run(self) -> Any:
        """One step."""
        return self._stream.step(self._x[0], out=self._out)

    def results(self) -> Results:
        """The outputs of all steps."""
        self._stream.reset()
        return {"output": torch.stack([self._stream.step(x) for x in self._x])}


class TorchStream:
    """torch.nn's layer over a sequence of one step, or, with `cell`, torch.nn.LSTMCell."""

    within = staticmethod(torch.no_grad)

    def __init__(self, problem: Problem, *, cell: bool = False) -> None:
        weights = problem.layer.state_dict()
        self._x = problem.x if cell else problem.x.unsqueeze(1)
        self._layer: torch.nn.Module = (torch.nn.LSTMCell if cell else torch.nn.LSTM)(problem.row.D, problem.row.H)
        self._layer.load_state_dict({n.removesuffix("_l0"): w for n, w in weights.items()} if cell else weights)
        self._cell, self._state = cell, None

    def run(self) -> Any:
        """One step."""
        return self._step(self._x[0])

    def _step(self, x: torch.Tensor) -> torch.Tensor:
        if self._cell:
            self._state = self._layer(x, self._state)
            return self._state[0]  # type: ignore[index]
        output, self._state = self._layer(x, self._state)
        return output[0]

    def results(self) -> Results:
        """The outputs of all steps."""
        self._state = None
        with torch.no_grad():
            return {"output": torch.stack([self._step(x) for x in self._x])}


class OnnxStream:
    """A graph of one step; two bindings in turn, so that each reads the state where the other has written it. With
    `eight_bits` as ONNX Runtime's own tool quantises it."""

    within = staticmethod(torch.no_grad)

    def __init__(self, problem: Problem, *, eight_bits: bool = False) -> None:
        ort = import_module("onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        graph = model(problem, steps=1, stateful=True)
        graph = quantised(graph) if eight_bits else graph
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        N, H = problem.row.N, problem.row.H
        self._x = problem.x.numpy()
        self._session = session
        self._input = np.zeros_like(self._x[:1])
        self._output = np.zeros((1, 1, N, H), np.float32)
        self._states = [[np.zeros((1, N, H), np.float32) for _ in problem.cell.State._fields] for _ in range(2)]
        value = ort.OrtValue.ortvalue_from_numpy
        self._held = {"x": value(self._input), "output": value(self._output)}
        states = [[value(state) for state in pair] for pair in self._states]
        self._bindings = []
        for before, after in ((states[0], states[1]), (states[1], states[0])):
            binding = session.io_binding()
            binding.bind_ortvalue_input("x", self._held["x"])
            binding.bind_ortvalue_output("output", self._held["output"])
            for name, old, new in zip(problem.cell.State._fields, before, after, strict=True):
                binding.bind_ortvalue_input(f"{name}_before", old)
                binding.bind_ortvalue_output(name, new)
            self._bindings.append(binding)
        self._state_values = states
        self._parity = 0

    def run(self) -> Any:
        """One step."""
        self._session.run_with_iobinding(self._bindings[self._parity])
        self._parity ^= 1

    def results(self) -> Results:
        """The outputs of all steps."""
        for pair in self._state_values:
            for held in pair:
                held.update_inplace(np.zeros(held.shape(), np.float32))
        self._parity = 0
        outputs = []
        for x in self._x:
            self._held["x"].update_inplace(x[None])
            self.run()
            outputs.append(torch.from_numpy(np.array(self._held["output"].numpy()[0, 0])))
        return {"output": torch.stack(outputs)}
