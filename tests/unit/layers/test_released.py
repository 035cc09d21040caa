"""What a layer was given is released with its results, before Python looks for circles of references."""

import gc
import weakref

import pytest
import torch

import ostinato
import ostinato.cells  # registers those of the package
from ostinato.core.registry import registered


@pytest.fixture(autouse=True)
def _uncollected():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("cell", sorted(registered()))
def test_an_input_goes_with_the_outputs(cell):
    layer = ostinato.Recurrent(cell, 4, 4, zoneout=0.1)
    for training in (True, False):
        layer.train(training)
        for lengths in (None, torch.tensor([5, 3])):
            x = torch.randn(5, 2, 4, requires_grad=True)
            seen = weakref.ref(x)
            output, state = layer(x, lengths=lengths)
            output.sum().backward()
            del x, output, state
            assert seen() is None
