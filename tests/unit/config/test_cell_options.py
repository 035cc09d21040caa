import pytest

from ostinato.config.model import ModelOptions
from ostinato.core.errors import ConfigError


def test_numbers_stay_what_they_are():
    settings = ModelOptions(cell_options=("proj_size=20", "forget_bias=1.5", "shift=-2")).cell_settings()
    assert settings == {"proj_size": 20, "forget_bias": 1.5, "shift": -2}
    assert {name: type(value) for name, value in settings.items()} == {
        "proj_size": int,
        "forget_bias": float,
        "shift": int,
    }


@pytest.mark.parametrize("option", ["forget_bias", "forget_bias=much", "=", ""])
def test_what_is_no_number_is_named(option):
    with pytest.raises(ConfigError, match=f"expected NAME=VALUE with a number, got {option!r}"):
        ModelOptions(cell_options=(option,))


def test_activations_go_by_their_names():
    settings = ModelOptions(cell_options=("activation=softsign", "recurrent_activation=hard_sigmoid", "clip=3"))
    assert settings.cell_settings() == {"activation": "softsign", "recurrent_activation": "hard_sigmoid", "clip": 3}
