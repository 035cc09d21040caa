import pytest
import torch
from torch import nn

import ostinato

T, N, D, H = 7, 3, 4, 5


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def x():
    """Some input, `[T, N, D]`."""
    torch.manual_seed(0)
    return torch.randn(T, N, D, dtype=torch.float64)


def layer(cell, **options):
    """A layer in double precision with weights large enough that everything moves."""
    torch.manual_seed(1)
    made = ostinato.Recurrent(cell, D, H, dtype=torch.float64, **options).eval()
    for p in made.parameters():
        nn.init.normal_(p, std=0.6)
    return made
