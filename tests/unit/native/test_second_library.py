"""Another library with the same interface, such as one of generated cells."""

import shutil
from pathlib import Path

import pytest
import torch

import ostinato
from ostinato.kernels import native_cells as native
from ostinato.kernels.native_calls import loaded
from ostinato.native import library as native_library
from tests.unit.kernels.test_native import Problem, cell_of


@pytest.fixture
def other(library, tmp_path, monkeypatch):
    """A library of gru alone, which the package's own has no longer."""
    path = Path(library._library._name)
    monkeypatch.setattr(native_library, "_others", [])
    copy = native_library.add(Path(shutil.copy(path, tmp_path / f"cells{path.suffix}")))
    monkeypatch.setattr(library, "cells", {name: index for name, index in library.cells.items() if name != "gru"})
    copy.cells = {"gru": copy.cells["gru"]}
    return copy


def test_a_cell_is_computed_by_the_library_that_has_it(library, other, monkeypatch):
    assert loaded("gru") is other
    assert loaded("lstm") is library
    monkeypatch.setattr(type(library), "forward", _counted := _Counted(type(library).forward))
    Problem(cell_of("gru", 3, 5), 4, 2, ragged=True).check()
    assert _counted.by == {other}


class _Counted:
    """A method that notes which objects it was called on."""

    def __init__(self, method):
        self.method, self.by = method, set()

    def __get__(self, instance, _):
        self.by.add(instance)
        return self.method.__get__(instance)


def test_a_cell_that_no_library_has_is_refused_with_a_reason(library, other):
    other.cells = {}
    choice = ostinato.kernels.find(cell_of("gru", 3, 5), ostinato.kernels.Request(torch.float32, "cpu", 1))
    assert "native: no gru yet" in choice.refused


def test_a_stream_of_it(other):
    layer = ostinato.GRU(3, 5, num_layers=2).eval()
    x = torch.randn(4, 2, 3)
    with torch.no_grad():
        expected, _ = layer(x)
        stream = layer.stream(2)
        found = torch.stack([stream.step(one) for one in x])
    assert native.refuses(layer.cells[0], ostinato.kernels.Request(torch.float32, "cpu", 1)) is None
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_another_interface_is_refused(library, monkeypatch):
    monkeypatch.setattr(native_library, "ABI", 99)
    with pytest.raises(OSError, match="expected 99"):
        native_library.add(Path(library._library._name))
