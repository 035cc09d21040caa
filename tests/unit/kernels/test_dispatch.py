"""Which implementation runs, and why: never silently a slow one."""

import pytest
import torch

import ostinato
from ostinato.cells.unroll import unroll
from ostinato.core.registry import lookup
from ostinato.kernels import Request, find
from ostinato.native import library as native_library

NATIVE = not isinstance(native_library.load(), str)
PLAIN = Request(torch.float32, "cpu", steps=4)


@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "lstm", "gru"])
def test_cells_that_torch_has_run_fused(cell):
    choice = find(lookup(cell)(3, 5), PLAIN)
    assert choice.run is not unroll
    assert choice.reason == ""


@pytest.mark.parametrize(
    ("cell", "options", "request_", "says"),
    [
        ("jordan", {}, PLAIN._replace(dtype=torch.float16), "torch has no jordan"),
        ("lstm", {"proj_size": 2}, PLAIN._replace(dtype=torch.float16), "no projection on the CPU"),
        ("lstm_layer_norm", {}, PLAIN._replace(transformed=True), "native: no torch.func" if NATIVE else "not built"),
        ("gru", {}, PLAIN._replace(dtype=torch.float16, noise=True), "no recurrent dropout or zoneout"),
        ("gru", {}, PLAIN._replace(dtype=torch.float64), "only float32" if NATIVE else "float64"),
        ("gru", {}, PLAIN._replace(dtype=torch.float16, steps=0), "an empty sequence"),
    ],
)
def test_a_fallback_says_why(cell, options, request_, says):
    choice = find(lookup(cell)(3, 5, **options), request_)
    assert choice.run is unroll
    assert says in choice.reason


def test_without_the_library_torch_takes_what_it_can(monkeypatch):
    monkeypatch.setattr(native_library, "load", lambda: "not built: no compiler")
    assert find(lookup("lstm")(3, 5), PLAIN).name == "torch"
    ragged = find(lookup("lstm")(3, 5), PLAIN._replace(lengths=True))
    assert ragged.run is unroll
    assert "native: not built: no compiler" in ragged.reason
    assert "torch: no lengths without packing" in ragged.reason


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_compiled_layers_give_the_same(kind):
    layer, x = getattr(ostinato, kind)(3, 5), torch.randn(3, 2, 3)
    # aot_eager: all of torch.compile but the C++ compiler
    output, _ = torch.compile(layer, backend="aot_eager")(x)
    torch.testing.assert_close(output, layer(x)[0])
    found = torch.autograd.grad(output.sum(), list(layer.parameters()))
    expected = torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters()))
    torch.testing.assert_close(found, expected)
