"""The runtime imports what it uses, and not more: that is what makes it quick to start."""

import subprocess
import sys

import numpy as np


def modules_after(code: str) -> set[str]:
    """Names of the modules of a process without torch that ran this."""
    script = f"import sys\nsys.modules['torch'] = None\n{code}\nprint(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def cells_in(modules: set[str]) -> set[str]:
    aside = {"form", "contract", "activations"}
    return {name.removeprefix("ostinato.cells.") for name in modules if name.startswith("ostinato.cells.")} - aside


def test_a_layer_needs_its_own_cell_alone(tmp_path):
    weights = {"weight_ih_l0": (3 * 4, 2), "weight_hh_l0": (3 * 4, 4)}
    np.savez(tmp_path / "weights.npz", **{name: np.ones(shape, np.float32) for name, shape in weights.items()})
    modules = modules_after(
        "import numpy as np\n"
        "from ostinato.runtime import Recurrent\n"
        f"Recurrent('gru', dict(np.load({str(tmp_path / 'weights.npz')!r})))"
    )
    assert cells_in(modules) == {"gru"}
    assert not modules & {"msgspec", "tyro", "difflib", "safetensors", "tokenizers", "rich", "narwhals"}


def test_a_forecaster_reads_tables_without_the_command_line():
    modules = modules_after("import ostinato.runtime.forecaster")
    assert "ostinato.data.series.codec" in modules
    assert not modules & {"tyro", "rich", "narwhals", "statistics"}
