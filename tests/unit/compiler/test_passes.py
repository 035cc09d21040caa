"""The compiler's passes in float64, without a compiler: the graph is the step, and its way back is autograd's."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor

import ostinato.cells  # noqa: F401 (registers them)
from ostinato.compiler.derive import derive
from ostinato.compiler.layout import Layout
from ostinato.compiler.pieces import in_pieces
from ostinato.compiler.program import Node, run
from ostinato.compiler.shorter import shorter
from ostinato.compiler.trace import computed, trace
from ostinato.compiler.tracer import Ref, mapped
from ostinato.config.cells import CELL_NAMES
from ostinato.core.registry import lookup
from tests.conformance.own_cell import FeedbackMGU
from tests.unit.compiler.cells import Everything, OneOperation, Scan

TRACES_ALL = """
import sys, torch, ostinato.cells
from ostinato.compiler.trace import trace
from ostinato.core.registry import lookup
before = set(sys.modules)
for name in sys.argv[1:]:
    trace(lookup(name)(4, 4), read=True)
print(len({name for name in set(sys.modules) - before if not name.startswith("ostinato")}))
"""
CELLS = [
    *(cell for name in CELL_NAMES for cell in lookup(name).examples()),
    *(cell for kind in (FeedbackMGU, Everything, Scan, OneOperation) for cell in kind.examples()),
]


class Sample:
    """A step with random numbers, by the cell and by its graph."""

    def __init__(self, cell, N: int = 3) -> None:
        torch.manual_seed(0)
        self.traced = trace(cell)
        step = in_pieces(self.traced)
        self.step, self.back = shorter(step, derive(step))
        shapes = {name: declared.shape for name, declared in cell.parameters().items()}
        self.p = {name: torch.randn(shape, dtype=torch.float64).requires_grad_() for name, shape in shapes.items()}
        self.x = torch.randn(1, N, cell.input_size, dtype=torch.float64, requires_grad=True)
        state = cell.initial_state(N, self.x)
        self.state = [torch.randn_like(field).requires_grad_() for field in state]
        output, self.after = cell.step(self.p, cell.project(self.p, self.x)[0], type(state)(*self.state))
        self.output = self.x.new_zeros(N, 0).requires_grad_() if output is None else output  # made by `readout`
        self.matrices = computed(self.traced, self.p, self.traced.matrices, self.x)
        self.vectors = computed(self.traced, self.p, self.traced.vectors, self.x)
        self.upstream = [torch.randn_like(result) for result in (self.output, *self.after)]
        self.N = N

    def leaf(self, node: Node) -> Tensor:
        index, begin = node.value
        first, *others = (gradient.flatten(1) for gradient in self.upstream)
        rows = {
            "time": [self.x[0]],
            "state": [field.flatten(1) for field in self.state],
            "vector": [vector.flatten() for vector in self.vectors],
            "upstream": [first],
            "upstream_state": others,
        }
        return rows[node.op][index][..., begin : begin + node.width]

    def value(self, pieces) -> Tensor:
        graph = self.step.graph
        found = run(graph, list(pieces), self.leaf, self.matrices)
        return torch.cat([v.expand(self.N, graph[at].width) for v, at in zip(found, pieces, strict=True)], -1)


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_a_graph_computes_the_step(cell):
    sample = Sample(cell)
    assert not sample.traced.projected
    assert bool(sample.step.output) == (not hasattr(cell, "readout"))
    if sample.step.output:
        torch.testing.assert_close(sample.value(sample.step.output), sample.output.flatten(1))
    for pieces, field in zip(sample.step.after, sample.after, strict=True):
        torch.testing.assert_close(sample.value(pieces), field.flatten(1))


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_the_way_back_is_that_of_autograd(cell):
    sample = Sample(cell)
    graph, back = sample.step.graph, sample.back
    leaves = [sample.x, *sample.state, *sample.p.values()]
    wanted = torch.autograd.grad(
        (sample.output, *sample.after), leaves, sample.upstream, allow_unused=True, materialize_grads=True
    )
    with torch.no_grad():
        found = [_input_gradient(sample), *_state_gradients(sample)]
        matrices = [torch.zeros_like(matrix) for matrix in sample.matrices]
        for entry in back.weights:
            rows = entry.rows
            part = matrices[rows.matrix][rows.row : rows.row + rows.rows, rows.column : rows.column + rows.columns]
            part += sample.value([entry.gradient]).T @ sample.value([entry.operand])
        vectors = [torch.zeros(vector.numel(), dtype=torch.float64) for vector in sample.vectors]
        for part in back.vectors:
            vectors[part.vector][part.begin : part.begin + graph[part.gradient].width] += sample.value(
                [part.gradient]
            ).sum(0)
    made = [*sample.matrices, *sample.vectors]
    by = [grad.reshape(tensor.shape) for grad, tensor in zip([*matrices, *vectors], made, strict=True)]
    found += torch.autograd.grad(made, list(sample.p.values()), by, allow_unused=True, materialize_grads=True)
    for gradient, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(gradient, expected)


def _input_gradient(sample: Sample) -> Tensor:
    gradient = torch.zeros_like(sample.x)
    for entry in sample.back.inputs:
        width = sample.step.graph[entry.gradient].width
        gradient[0, :, entry.begin : entry.begin + width] += sample.value([entry.gradient])
    for leaf, rows, at in sample.back.products:
        begin = sample.step.graph[leaf].value[1]
        matrix = sample.matrices[rows.matrix][rows.row : rows.row + rows.rows, rows.column : rows.column + rows.columns]
        gradient[0, :, begin : begin + rows.columns] += sample.value([at]) @ matrix
    return gradient


def _state_gradients(sample: Sample) -> list[Tensor]:
    found = []
    for field, leaves, gradients in zip(sample.state, sample.step.before, sample.back.state, strict=True):
        parts = []
        for leaf, at in zip(leaves, gradients, strict=True):
            none = torch.zeros(sample.N, sample.step.graph[leaf].width, dtype=torch.float64)
            parts.append(none if at is None else sample.value([at]))
        found.append(torch.cat(parts, -1).reshape(field.shape))
    return found


def test_a_reference_to_a_tensor_is_one_thing():
    assert mapped({"a": [Ref(3)], "b": (Ref(1, 2), 5)}, str) == {"a": [str(Ref(3))], "b": (str(Ref(1, 2)), "5")}


def test_one_value_is_kept_in_place_of_what_is_made_of_it():
    """Of rg_lru two gates, the product and the state: e^log a - 1 costs less to compute again than to keep."""
    layout = Layout(in_pieces(trace(lookup("rg_lru")(3, 5))))
    assert sorted(layout.graph[at].op for at in layout.kept) == ["add", "add", "sigmoid", "sigmoid"]


@pytest.mark.parametrize(("name", "planes"), [("indrnn", 0), ("min_gru", 2), ("rg_lru", 3), ("sru", 4), ("lru", 2)])
def test_what_the_output_has_is_not_kept_beside_it(name, planes):
    layout = Layout(in_pieces(trace(lookup(name)(16, 16), read=True)))
    assert layout.kept_space.size == 16 * planes


def test_a_state_that_goes_through_a_product_is_kept_where_products_find_it():
    layout = Layout(in_pieces(trace(lookup("gru")(16, 16))))
    assert layout.made is None
    assert all(output == -1 for *_, output in layout.state_part)


def test_a_state_that_is_kept_is_not_kept_in_a_difference_too():
    layout = Layout(in_pieces(trace(lookup("sru")(5, 5))))
    assert sorted(layout.graph[at].op for at in layout.kept) == ["add", "product", "sigmoid", "sigmoid"]


@pytest.mark.slow
def test_tracing_imports_nothing_of_the_compiler_of_torch():
    run_fresh = [sys.executable, "-c", TRACES_ALL, *CELL_NAMES]
    assert subprocess.run(run_fresh, capture_output=True, text=True, check=True).stdout == "0\n"
