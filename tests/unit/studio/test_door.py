"""What computes is loaded while others are answered."""

import subprocess
import sys

RACE = """
import sys, threading
from ostinato.studio import choices
from ostinato.studio.app import _computing_app
from ostinato.studio.studio import Studio
from pathlib import Path

barrier, failed = threading.Barrier(2), []
def check():
    barrier.wait()
    for cell in ("gru", "lstm", "mgu", "sru"):
        choices.words("lm", ["x"], "y", {"hidden": 8, "cell": cell})
def computing():
    barrier.wait()
    try:
        _computing_app(Studio(Path("none")))
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=work) for work in (check, computing)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failed, failed
assert "torch" in sys.modules
"""


def test_options_are_checked_while_torch_is_loaded():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RACE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
