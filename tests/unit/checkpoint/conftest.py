import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


class Killed(BaseException):
    """Stands for kill -9: nothing of the package catches it."""


@pytest.fixture
def killed_at(monkeypatch):
    """Run something, killed just before the n-th thing that it does to the disk; says whether it was."""

    def run(work, number: int) -> bool:
        done = 0

        def fatal(original):
            def call(*args, **keywords):
                nonlocal done
                done += 1
                if done == number:
                    raise Killed
                return original(*args, **keywords)

            return call

        with monkeypatch.context() as patch:
            for home, name in (
                (os, "open"),
                (os, "fsync"),
                (Path, "replace"),
                (Path, "rename"),
                (Path, "unlink"),
                (Path, "mkdir"),
                (Path, "rmdir"),
            ):
                patch.setattr(home, name, fatal(getattr(home, name)))
            try:
                work()
            except Killed:
                return True
        return False

    return run
