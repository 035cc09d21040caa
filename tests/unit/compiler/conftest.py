import pytest

from ostinato.compiler import build


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A folder for the kernels that these tests compile."""
    if isinstance(lacking := build.compiler(), str):
        pytest.skip(lacking)
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def kernels(cache, monkeypatch):
    """Compiled cells are asked for; a cache of them for these tests alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("OSTINATO_COMPILE", "1")
