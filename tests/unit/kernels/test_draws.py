"""Draws by weights, by the native library and by torch."""

import pytest
import torch

from ostinato.kernels import draws
from ostinato.kernels.draws import draw


@pytest.fixture(params=["native", "torch"])
def drawn(request, monkeypatch):
    library = draws.native_library.load()
    if request.param == "torch":
        monkeypatch.setattr(draws.native_library, "load", lambda: "left out")
    elif isinstance(library, str):
        pytest.skip(library)
    return draw


@pytest.mark.parametrize("size", [1, 2, 127, 128, 129, 1000, 10_001])
def test_the_first_place_up_to_which_the_weights_are_above_the_share(drawn, size):
    torch.manual_seed(size)
    weights = torch.randn(5, size).exp()
    below = weights.double().cumsum(-1)
    shares = [0.0, 0.1, 0.5, 0.93, 0.9999]
    expected = [int((row > share * row[-1]).nonzero()[0]) for row, share in zip(below, shares, strict=True)]
    assert drawn(weights, shares) == expected


def test_none_without_weight_whatever_the_share(drawn):
    weights = torch.zeros(1, 300)
    weights[0, [3, 130, 290]] = torch.tensor([0.25, 0.5, 0.25])
    found = {share: drawn(weights, [share])[0] for share in (0.0, 0.2499, 0.25, 0.7499, 0.75, 1 - 2**-53, 1.0)}
    assert list(found.values()) == [3, 3, 130, 130, 290, 290, 130]  # of the whole sum there is no place above: the best


def test_as_often_as_the_weights_are_large(drawn):
    torch.manual_seed(1)
    weights = torch.tensor([0.1, 0.0, 0.6, 0.3]).expand(40_000, 4)
    counts = torch.tensor(drawn(weights, torch.rand(len(weights), dtype=torch.float64).tolist())).bincount()
    assert counts[1] == 0
    torch.testing.assert_close(counts / len(weights), weights[0], atol=0.01, rtol=0)


@pytest.mark.parametrize("weights", [torch.full((1, 200), torch.nan), torch.zeros(1, 200)])
def test_weights_that_say_nothing_still_draw_a_place(drawn, weights):
    assert 0 <= drawn(weights, [0.5])[0] < 200


def test_of_every_other_column(drawn):
    weights = torch.rand(3, 64)[:, ::2]
    assert drawn(weights, [0.2, 0.6, 0.9]) == drawn(weights.clone(), [0.2, 0.6, 0.9])
