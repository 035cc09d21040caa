"""The captioner against its equations, and against itself."""

import numpy as np
import pytest
import torch

from ostinato.core.errors import ConfigError
from ostinato.tasks.caption.model import Captioner, PictureEncoder

P, T, N, V, E, H, F = 4, 5, 3, 9, 6, 8, 7
FEATURES = torch.randn(P, N, F, generator=torch.Generator().manual_seed(1)).double()
LENGTHS = torch.tensor([4, 1, 2])
INPUTS = torch.randint(0, V, (T, N), generator=torch.Generator().manual_seed(2))


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def make(layers=2, **options):
    return Captioner(V, E, H, layers, feature_size=F, **options).double().eval()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_decoder_begins_with_mean_and_maximum_of_what_is_seen(cell):
    model = make(cell=cell)
    p = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    state = model.start(FEATURES, LENGTHS)
    for n in range(N):
        seen = np.tanh(FEATURES[: LENGTHS[n], n].numpy() @ p["features.weight"].T + p["features.bias"])
        np.testing.assert_allclose(state.memory.values[n, : LENGTHS[n]].detach(), seen)
        for field, name in enumerate(state.first._fields):
            begun = np.tanh(
                np.concatenate([seen.mean(0), seen.max(0)]) @ p[f"beginnings.{name}.weight"].T
                + p[f"beginnings.{name}.bias"]
            )
            np.testing.assert_allclose(state.first[field][0, n].detach(), begun[:H])
            np.testing.assert_allclose(state.above[field][0, n].detach(), begun[H:])


@pytest.mark.parametrize("attention", [None, "general", "additive"])
def test_places_beyond_a_length_change_nothing(attention):
    model = make(attention=attention)
    spoilt = FEATURES.clone()
    for n, length in enumerate(LENGTHS):
        spoilt[length:, n] = 1e3
    found = [model(x, LENGTHS, target_inputs=INPUTS).logits() for x in (FEATURES, spoilt)]
    torch.testing.assert_close(*found)
    alone = model(FEATURES[:1, 1:2], None, target_inputs=INPUTS[:, 1:2]).logits()
    torch.testing.assert_close(alone[:, 0], found[0][:, 1])


def test_steps_one_by_one_are_the_whole():
    model = make(tied=True)
    whole, state = model(FEATURES, LENGTHS, target_inputs=INPUTS).logits(), model.start(FEATURES, LENGTHS)
    for t in range(T):
        logits, state = model.decoder.step(INPUTS[t].unsqueeze(1), state)
        torch.testing.assert_close(logits.squeeze(1), whole[t])


def test_a_picture_becomes_a_grid_row_by_row():
    """A change within 16 pixels of the lower right corner changes the last place most, and the first one not at all."""
    encoder = PictureEncoder(64, H)
    picture = torch.full((1, 3, 64, 64), 128, dtype=torch.uint8)
    other = picture.clone()
    other[..., 56:, 56:] = 255
    for norm in encoder.convolutions:
        if isinstance(norm, torch.nn.GroupNorm):  # the statistics of a whole picture would spread the change
            norm.forward = lambda x: x
    change = (encoder(other) - encoder(picture)).norm(dim=-1)[:, 0]
    assert change.shape == (16,)
    assert change.argmax() == 15
    assert change[0] == 0


def test_every_parameter_learns_from_pictures():
    model = Captioner(V, E, H, picture_size=32)
    pictures = torch.randint(0, 256, (N, 3, 32, 32), dtype=torch.uint8)
    model(pictures, target_inputs=INPUTS).logits().square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_sizes_that_cannot_be():
    with pytest.raises(ConfigError, match="multiple of 16, got 40"):
        Captioner(V, E, H, picture_size=40)
    for sizes in ({}, {"picture_size": 32, "feature_size": 3}):
        with pytest.raises(ConfigError, match="pictures or features: expected a size of one"):
            Captioner(V, E, H, **sizes)
