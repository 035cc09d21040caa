import os

import pytest

from ostinato.compiler import build


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A folder for the kernels that these tests compile, shared by the processes of pytest-xdist."""
    if isinstance(lacking := build.compiler(), str):
        pytest.skip(lacking)
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kernels"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def kernels(cache, monkeypatch):
    """Compiled cells are asked for; a cache of them for these tests alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("OSTINATO_COMPILE", "1")
