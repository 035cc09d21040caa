"""`import ostinato` is cheap: torch comes with the first layer."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "tokenizers", "matplotlib")


@pytest.mark.parametrize("statement", ["import ostinato", "import ostinato.config", "import ostinato; dir(ostinato)"])
def test_nothing_heavy_is_imported(statement):
    script = f"import sys; {statement}; print([m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_public_name_is_there_and_others_are_named():
    script = (
        "import ostinato\n"
        "for name in ('Recurrent', 'LSTM', 'GRUCell', 'KeptState', 'register'): getattr(ostinato, name)\n"
        "try: ostinato.LSTMM\n"
        "except AttributeError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "no attribute 'LSTMM'; it has GRU, GRUCell" in found.stdout
