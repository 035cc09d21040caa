"""What holds for all tests."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples each time: a failure is one that can be looked for, not one that goes away.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")

# Cells are compiled once for all tests, those that a test's own processes run too; `make clean` forgets them.
os.environ.setdefault("OSTINATO_KERNELS", str(Path(__file__).parents[1] / "build" / "kernels"))


@pytest.fixture(autouse=True)
def _no_shard_is_made_in_the_next_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is made ahead lies in the folder that the environment names: of a thread that is left over, the next test's,
    which would count its writing as its own. Ends before `monkeypatch` takes anything back."""
    yield
    for thread in threading.enumerate():
        if thread.name == "ostinato ahead":
            thread.join()
