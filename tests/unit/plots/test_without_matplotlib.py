"""Without matplotlib every picture says which extra brings it."""

import numpy as np
import pytest

from ostinato.core.errors import ConfigError
from ostinato.plots.style import picture, require_matplotlib
from ostinato.tasks.classify.drawing import confusion_matrix


@pytest.fixture(autouse=True)
def no_matplotlib(monkeypatch):
    for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.colors"):
        monkeypatch.setitem(__import__("sys").modules, name, None)


@pytest.mark.parametrize(
    "draw",
    [
        require_matplotlib,
        lambda: picture("a.png").__enter__(),
        lambda: confusion_matrix(np.eye(2, dtype=np.int64), ["a", "b"], "a.png"),
    ],
    ids=["require", "picture", "confusion"],
)
def test_the_extra_is_named(draw):
    with pytest.raises(ConfigError, match=r"pictures need matplotlib: pip install 'ostinato\[plots\]'"):
        draw()
