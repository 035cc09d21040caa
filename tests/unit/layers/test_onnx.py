"""Layers exported to ONNX both ways: a node each, of any N and T, with the same numbers in ONNX Runtime."""

import io
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ostinato
from ostinato.cells.form import onnx_operator
from ostinato.config.cells import CELL_NAMES
from ostinato.core.registry import build

onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def ways(names, quick=()):
    """Each by both exporters; torch.export takes seconds, so that of most it is slow."""
    marks = {name: () if name in quick else pytest.mark.slow for name in names}
    by_export = [pytest.param(name, True, id=f"dynamo {name}", marks=marks[name]) for name in names]
    return [pytest.param(name, False, id=f"torchscript {name}") for name in names] + by_export


BOTH = pytest.mark.parametrize("dynamo", [False, True], ids=["torchscript", "dynamo"])
NODES = ("RNN", "LSTM", "GRU")


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


class Flat(nn.Module):
    """A layer whose results are one tuple of tensors; inside a module."""

    def __init__(self, layer: nn.Module, **named: bool) -> None:
        super().__init__()
        self.layer, self.named = layer, named

    def forward(self, x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        return tuple(flat(self.layer(x, *rest, **self.named)))


def flat(found):
    return [found] if isinstance(found, Tensor) else [tensor for part in found for tensor in flat(part)]


def exported(module: nn.Module, given: tuple[Tensor, ...], dynamo: bool, axes: list[dict[int, str]]):
    """The model of a module, and what runs it."""
    names = [f"in{index}" for index in range(len(given))]
    held = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            sizes: dict[str, object] = {}
            shapes = [{axis: sizes.setdefault(n, torch.export.Dim(n)) for axis, n in each.items()} for each in axes]
            program = torch.onnx.export(
                module, given, dynamo=True, input_names=names, dynamic_shapes=[*shapes], verbose=False
            )
            program.save(held)
        else:
            dynamic = dict(zip(names, axes, strict=True))
            torch.onnx.export(module, given, held, dynamo=False, input_names=names, dynamic_axes=dynamic)
    model = onnx.load_from_string(held.getvalue())
    onnx.checker.check_model(model, full_check=True)
    session = runtime.InferenceSession(held.getvalue(), providers=["CPUExecutionProvider"])
    return model, lambda *x: session.run(None, {n: t.numpy() for n, t in zip(names, x, strict=True)})


def same(module: nn.Module, run, *given: Tensor) -> None:
    with torch.no_grad():
        expected = flat(module(*given))
    found = run(*given)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-4, atol=1e-5)


def nodes(model) -> list[str]:
    return [node.op_type for node in model.graph.node if node.op_type in NODES]


LAYERS = {
    "rnn": (lambda: ostinato.RNN(4, 5), ["RNN"]),
    "rnn of relu": (lambda: ostinato.RNN(4, 5, nonlinearity="relu"), ["RNN"]),
    "lstm": (lambda: ostinato.LSTM(4, 5), ["LSTM"]),
    "gru": (lambda: ostinato.GRU(4, 5), ["GRU"]),
    "without biases": (lambda: ostinato.GRU(4, 5, bias=False), ["GRU"]),
    "both ways, stacked, batch first": (
        lambda: ostinato.LSTM(4, 5, 2, bidirectional=True, batch_first=True),
        ["LSTM"] * 4,
    ),
    "peepholes": (lambda: ostinato.Recurrent("lstm_peephole", 4, 5), ["LSTM"]),
    "reset before": (lambda: ostinato.Recurrent("gru_reset_before", 4, 5), ["GRU"]),
}


@pytest.mark.parametrize(("name", "dynamo"), ways(LAYERS, quick=["lstm"]))
def test_a_node_a_layer_for_any_sizes(name, dynamo):
    make, expected = LAYERS[name]
    layer = make().eval()
    for module in (layer, Flat(layer)) if name == "lstm" else (layer,):
        model, run = exported(module, (torch.randn(6, 3, 4),), dynamo, [{0: "one", 1: "other"}])
        assert nodes(model) == expected
        assert len(model.graph.node) < 30 * len(expected)  # constants most of all
        for shape in ((6, 3, 4), (9, 2, 4), (1, 1, 4)):
            same(module, run, torch.randn(shape))


@pytest.mark.parametrize(("name", "dynamo"), ways(["RNNCell", "LSTMCell", "GRUCell"], quick=["GRUCell"]))
def test_a_node_a_cell(name, dynamo):
    cell = getattr(ostinato, name)(4, 5).eval()
    model, run = exported(cell, (torch.randn(3, 4),), dynamo, [{0: "N"}])
    assert nodes(model) == [name.removesuffix("Cell")]
    for N in (3, 1, 7):
        same(cell, run, torch.randn(N, 4))


@BOTH
def test_states_in_and_out(dynamo):
    class Carrying(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = ostinato.LSTM(4, 5, 2)

        def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
            return tuple(flat(self.layer(x, (h, c))))

    module = Carrying().eval()
    given = (torch.randn(6, 3, 4), torch.randn(2, 3, 5), torch.randn(2, 3, 5))
    model, run = exported(module, given, dynamo, [{0: "T", 1: "N"}, {1: "N"}, {1: "N"}])
    assert nodes(model) == ["LSTM"] * 2
    same(module, run, *given)
    same(module, run, torch.randn(2, 5, 4), torch.randn(2, 5, 5), torch.randn(2, 5, 5))


@pytest.mark.parametrize(("name", "dynamo"), ways(["LSTM", "GRU"], quick=["GRU"]))
def test_lengths(name, dynamo):
    module = Ragged(getattr(ostinato, name)(4, 5, bidirectional=True)).eval()
    given = (torch.randn(6, 3, 4), torch.tensor([6, 0, 4]))
    model, run = exported(module, given, dynamo, [{0: "T", 1: "N"}, {0: "N"}])
    assert len(nodes(model)) == 2
    same(module, run, *given)
    same(module, run, torch.randn(4, 2, 4), torch.tensor([2, 4]))


@pytest.mark.parametrize(
    ("options", "why"), [({"proj_size": 2}, "projection"), ({"zoneout": 0.2}, "recurrent dropout or zoneout")]
)
def test_what_is_no_node_is_written_out_with_a_warning_by_torchscript(options, why):
    layer, x = ostinato.LSTM(4, 5, **options).eval(), torch.randn(3, 2, 4)
    with pytest.warns(UserWarning, match=f"for sequences of 3 steps alone.*onnx: no {why}"):
        torch.onnx.export(layer, (x,), io.BytesIO(), dynamo=False, verbose=False)
    _, run = exported(layer, (x,), False, [{}])
    same(layer, run, x)


class Ragged(nn.Module):
    """As a model of one's own may use a layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.output = layer, nn.Linear(layer.output_size, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        output, state = self.layer(x, lengths=lengths)
        return self.output(output), *flat(state)


SCANNED = [name for name in CELL_NAMES if onnx_operator(build(name, 2, 2)) is None]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "indrnn" else pytest.mark.slow) for name in CELL_NAMES]
)
def test_every_cell_by_torch_export_for_any_length(name):
    module = Ragged(ostinato.Recurrent(name, 4, 5, bidirectional=True)).eval()
    given = (torch.randn(6, 3, 4), torch.tensor([6, 0, 4]))
    model, run = exported(module, given, True, [{0: "T", 1: "N"}, {0: "N"}])
    assert [node.op_type for node in model.graph.node].count("Scan") == (2 if name in SCANNED else 0)
    axes = [[one.dim_param or one.dim_value for one in value.type.tensor_type.shape.dim] for value in model.graph.input]
    assert axes == [["T", "N", 4], ["N"]]
    same(module, run, *given)
    same(module, run, torch.randn(9, 2, 4), torch.tensor([1, 9]))
    same(module, run, torch.randn(1, 1, 4), torch.tensor([1]))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"proj_size": 2}, {"zoneout": 0.2}, {"recurrent_activation": "hard_sigmoid"}])
def test_what_is_no_node_is_a_scan_by_torch_export(options):
    module, given = Ragged(ostinato.LSTM(4, 5, **options)).eval(), (torch.randn(6, 3, 4), torch.tensor([6, 1, 4]))
    model, run = exported(module, given, True, [{0: "T", 1: "N"}, {0: "N"}])
    assert [node.op_type for node in model.graph.node].count("Scan") == 1
    same(module, run, torch.randn(8, 2, 4), torch.tensor([8, 3]))


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [False, True])
def test_resets_within_a_scan(reverse):
    class Resetting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = ostinato.LSTM(4, 5, reverse=reverse)

        def forward(self, x: Tensor, anew: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
            return tuple(flat(self.layer(x, (h, c), resets=anew)))

    module = Resetting().eval()
    given = (torch.randn(6, 3, 4), torch.rand(6, 3) < 0.3, torch.randn(1, 3, 5), torch.randn(1, 3, 5))
    _, run = exported(module, given, True, [{0: "T", 1: "N"}, {0: "T", 1: "N"}, {1: "N"}, {1: "N"}])
    same(module, run, *given)
    same(module, run, torch.randn(9, 2, 4), torch.rand(9, 2) < 0.5, torch.randn(1, 2, 5), torch.randn(1, 2, 5))


FORMS = {
    "RNN": {"activation": "softsign", "clip": 0.5},
    "LSTM": {"activation": "softsign", "recurrent_activation": "softplus", "clip": 0.5},
    "GRU": {"activation": "relu", "recurrent_activation": "softsign", "reverse": True},
}


@pytest.mark.parametrize(("name", "dynamo"), ways(FORMS))
@pytest.mark.slow
def test_other_activations_clipped_sums_and_reverse_alone(name, dynamo):
    module, x = Flat(getattr(ostinato, name)(3, 4, **FORMS[name])).eval(), 3 * torch.randn(6, 2, 3)
    model, run = exported(module, (x,), dynamo, [{0: "T", 1: "N"}])
    assert nodes(model) == [name]
    same(module, run, x)


@pytest.mark.slow
def test_an_activation_that_onnx_has_not_is_written_out():
    module, x = Flat(ostinato.GRU(3, 4, recurrent_activation="hard_sigmoid")).eval(), torch.randn(6, 2, 3)
    model, run = exported(module, (x,), False, [{1: "N"}])
    assert "GRU" not in [node.op_type for node in model.graph.node]
    same(module, run, x)


def test_a_mask_goes_along():
    """As what it does: the steps moved together, a node, and the outputs moved back."""

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = ostinato.GRU(3, 4, bidirectional=True)

        def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
            return tuple(flat(self.layer(x, mask=mask)))

    module, x = Masked().eval(), torch.randn(6, 2, 3)
    mask = torch.tensor([[0, 1, 1, 0, 1, 1], [1, 1, 0, 0, 0, 1]], dtype=torch.bool).T
    model, run = exported(module, (x, mask), False, [{1: "N"}, {1: "N"}])
    assert [node.op_type for node in model.graph.node].count("GRU") == 2
    same(module, run, x, mask)
