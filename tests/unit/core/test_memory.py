"""What is freed is kept while training, and given back after it."""

import ctypes
import subprocess
import sys

import pytest

glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library")

CODE = """
import resource
import torch
from ostinato.core.memory import freed_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        blocks = [torch.ones(4_000_000) for _ in range(4)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

with freed_kept():
    faults()
    kept, held = faults(), resident()
print(kept, held - resident())
"""


def run(**variables):
    command = [sys.executable, "-c", CODE]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
    return map(int, found.stdout.split())


@glibc
def test_freed_memory_is_used_again_and_given_back():
    kept, given_back = run()
    assert kept < 1000  # a round of four blocks takes 15,600 where they come from the system
    assert given_back > 40e6


@glibc
def test_malloc_that_somebody_has_set_up_is_left_alone():
    kept, _ = run(MALLOC_MMAP_THRESHOLD_="65536")
    assert kept > 10_000
