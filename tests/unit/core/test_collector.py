"""Python's collector stands still where asked to, and goes on as before."""

import gc
import subprocess
import sys

import pytest

from ostinato.core.collector import uncollected


@pytest.mark.parametrize("before", [True, False])
def test_the_collector_is_off_within_and_as_before_afterwards(before: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        with uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() is before
    finally:
        (gc.enable if was else gc.disable)()


def test_nothing_is_collected_while_torch_is_imported() -> None:
    program = """
import gc
whole = []
gc.callbacks.append(lambda phase, info: whole.append(info["generation"]) if phase == "start" else None)
import ostinato
whole.clear()
ostinato.LSTM
kept = [[index] for index in range(5000)]  # objects enough for collections of what is young
assert 0 in whole and 2 not in whole, whole
assert gc.isenabled()
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_the_caller_has_frozen_stays_frozen() -> None:
    program = """
import gc
from ostinato.core.collector import uncollected
gc.freeze()
frozen = gc.get_freeze_count()
with uncollected():
    made = [[index] for index in range(100)]
assert gc.get_freeze_count() == frozen > 1000
"""
    subprocess.run([sys.executable, "-c", program], check=True)
