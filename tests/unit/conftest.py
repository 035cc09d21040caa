import pytest

from ostinato.native import library as native_library


@pytest.fixture
def library():
    found = native_library.load()
    if isinstance(found, str):
        pytest.skip(f"native library {found}")
    return found
