import pytest

from ostinato.compiler import build


@pytest.fixture
def kernels(monkeypatch):
    """There is a compiler, and compiled cells are not turned off."""
    if isinstance(lacking := build.compiler(), str):
        pytest.skip(lacking)
    monkeypatch.delenv("OSTINATO_COMPILE", raising=False)
