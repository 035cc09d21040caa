"""Sequences of many lengths in products of few shapes: the same numbers, and few numbers of rows."""

import pytest
import torch
from torch import nn

from ostinato.layers.few_shapes import STEPS, in_few_shapes


class Seen(nn.Linear):
    """Notes how many rows it is given."""

    def forward(self, x):
        self.__dict__.setdefault("rows", set()).add(x.shape[:-1].numel())
        return super().forward(x)


@pytest.fixture(autouse=True)
def precision():
    before = torch.get_float32_matmul_precision()
    yield torch.set_float32_matmul_precision
    torch.set_float32_matmul_precision(before)


def test_few_numbers_of_rows(precision):
    precision("medium")
    layer = Seen(3, 2)
    for length in range(129):
        x = torch.randn(length, 4, 3, requires_grad=True)
        found = in_few_shapes(layer, x)
        wanted = nn.functional.linear(x, layer.weight, layer.bias)
        torch.testing.assert_close(found, wanted, rtol=0.02, atol=0.02)
        upstream = torch.randn_like(found)
        given = torch.autograd.grad((found * upstream).sum(), [x, *layer.parameters()])
        alike = torch.autograd.grad((wanted * upstream).sum(), [x, *layer.parameters()])
        for own, like in zip(given, alike, strict=True):
            torch.testing.assert_close(own, like, rtol=0.05, atol=0.05)
    octaves = 7  # from 4 to 512
    assert len(layer.rows) <= STEPS * (octaves + 1)
    assert max(layer.rows) == 512


def test_other_products_are_as_they_are(precision):
    precision("highest")
    layer = Seen(3, 2)
    for length in range(1, 20):
        in_few_shapes(layer, torch.randn(length, 5, 3))
    assert layer.rows == {5 * length for length in range(1, 20)}


def test_rows_of_two_axes_and_functions(precision):
    precision("medium")
    seen = set()

    def double(rows):
        seen.add(len(rows))
        return 2 * rows

    for count in range(1000, 1100):
        x = torch.randn(count, 3)
        torch.testing.assert_close(in_few_shapes(double, x), 2 * x)
    assert seen == {1024, 1152}
