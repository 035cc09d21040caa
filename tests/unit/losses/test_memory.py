"""What a large vocabulary costs above weights and gradients."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "large_vocabulary.py"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak where Linux shows it")
def test_a_vocabulary_of_250_000_takes_less_than_300_mb():
    """512 tokens a step, whose scores alone are 512 MB: nothing that is held grows with more of them but [M, E]."""
    command = [sys.executable, str(SCRIPT), "--tokens", "512", "--size", "32", "--tied"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["gradients_mb"] == pytest.approx(33, abs=0.2)
    assert found["above_mb"] < 100, "64 MiB of scores, and what a step of this size needs"
