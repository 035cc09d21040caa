"""Cells whose steps can be computed at once: the papers' parallel forms give what the loop gives."""

from importlib import import_module

import numpy as np
import pytest
import torch

from ostinato.core.registry import lookup
from ostinato.testing.samples import Sample


@pytest.mark.parametrize("name", ["min_gru", "min_lstm", "sru", "qrnn", "lru", "rg_lru"])
def test_the_parallel_form_agrees_with_the_loop(name):
    sample = Sample.draw(lookup(name).examples()[0], steps=12)
    if name.startswith("min_"):  # logarithms are taken of states
        sample = sample._replace(state=type(sample.state)(*(field.abs() for field in sample.state)))
    if name == "sru":  # with gates of the input alone, as in the paper's first version
        sample.p.update({gate: torch.zeros_like(sample.p[gate]) for gate in ("weight_f", "weight_r")})
    p = {key: tensor.numpy() for key, tensor in sample.p.items()}
    outputs = import_module(f"tests.oracles.{name}").parallel(sample.x.numpy(), p, [f.numpy() for f in sample.state])
    np.testing.assert_allclose(sample.run().output.numpy(), outputs, rtol=1e-9, atol=1e-9)
