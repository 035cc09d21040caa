"""Installing where nothing can compile the kernels: it succeeds, all runs, and `ostinato info` says what is missing."""

import os
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def without_kernels(tmp_path):
    """The package as a wheel built without a compiler, unpacked."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(tmp_path), str(ROOT)]
    environment = os.environ | {"CXX": str(tmp_path / "no-compiler"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    built = subprocess.run(command, env=environment, capture_output=True, text=True)
    if built.returncode and "No matching distribution found" in built.stderr:
        pytest.skip("pip cannot reach an index, from which it takes what builds the wheel")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("ostinato-*.whl")
    with zipfile.ZipFile(wheel) as file:
        assert not [name for name in file.namelist() if name.endswith(".so")]
        file.extractall(tmp_path / "installed")
    return tmp_path / "installed"


@pytest.mark.slow
def test_without_a_compiler_everything_runs_on_the_reference(without_kernels):
    program = (
        "import torch, ostinato, sys; from ostinato.cli.main import main\n"
        "print(ostinato.__file__)\n"
        "for name in ('LSTM', 'GRU', 'RNN'):\n"
        "    layer = getattr(ostinato, name)(3, 4); output, _ = layer(torch.randn(5, 2, 3)); output.sum().backward()\n"
        "layer = ostinato.Recurrent('lstm_peephole', 3, 4); layer(torch.randn(5, 2, 3), lengths=torch.tensor([5, 2]))\n"
        "print(layer.stream(2).step(torch.randn(2, 3)).shape)\n"
        "sys.exit(main(['info']))"
    )
    # without the site module no .pth file of an editable installation is read
    paths = [str(without_kernels), *site.getsitepackages()]
    first = f"import sys; sys.path[:0] = {paths!r}; "
    ran = subprocess.run([sys.executable, "-S", "-c", first + program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(without_kernels))
    assert "native kernels      not built" in ran.stdout
    assert "torch.Size([2, 4])" in ran.stdout
