import pytest

from ostinato.compiler import build


@pytest.fixture(scope="session")
def kernels(tmp_path_factory):
    """A cache of compiled kernels for these tests alone."""
    if isinstance(told := build.compiler(), str):
        pytest.skip(told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OSTINATO_COMPILE", "1")
        yield
