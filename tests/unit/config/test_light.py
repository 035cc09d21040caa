"""Reading options needs no torch: every --help is fast."""

import subprocess
import sys

import ostinato.cells  # noqa: F401
from ostinato.config.cells import CELL_NAMES
from ostinato.core.registry import registered


def test_no_module_of_the_room_imports_torch():
    script = (
        "import pkgutil, sys, ostinato.config as room\n"
        "names = [m.name for m in pkgutil.walk_packages(room.__path__, 'ostinato.config.')]\n"
        "for name in names: __import__(name)\n"
        "assert 'ostinato.config.merge' in names\n"
        "print([m for m in ('torch', 'numpy', 'tokenizers', 'lightning_fabric') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_names_read_off_the_folder_are_those_that_register():
    inside = {name for name, cell in registered().items() if cell.__module__.startswith("ostinato.cells.")}
    assert set(CELL_NAMES) == inside
    assert {
        "rnn",
        "rnn_relu",
        "jordan",
        "lstm",
        "lstm_peephole",
        "lstm_layer_norm",
        "gru",
        "gru_reset_before",
    } <= inside


def test_what_a_cell_declares_is_read_where_torch_is_not_installed():
    script = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import ostinato.cells, ostinato.tasks.lm.options\n"
        "from ostinato.core.registry import build\n"
        "print(build('lstm', 3, 5, proj_size=2).parameters()['weight_hr'].shape)\n"
        "print([sorted(build(name, 3, 5).state_sizes().items()) for name in ('jordan', 'lstm_layer_norm')])\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "(2, 5)" in found.stdout
    assert "[[('y', (5,))], [('c', (5,)), ('h', (5,))]]" in found.stdout
