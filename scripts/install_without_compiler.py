"""Installs the package without a C++ compiler, into an environment of its own, and lets it work on the reference.

    python scripts/install_without_compiler.py [--with-compiler]

Other packages are taken from the Python that runs this. With a compiler it does the same; either way it says how long
the build took.
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

SOURCE = Path(__file__).parents[1]
CHECK = """
import torch, ostinato
from ostinato.api.info import describe
layer, x = ostinato.LSTM(3, 5), torch.randn(4, 2, 3)
output, _ = layer(x, lengths=torch.tensor([4, 2]))
output.sum().backward()
assert not output[2:, 1].any() and layer.weight_hh_l0.grad.any()
layer.stream(2).step(x[0])
print(describe()["native"])
"""


def install(folder: str, *, compiler: bool) -> Path:
    """Make an environment in the folder and install there; returns its Python."""
    venv.create(folder, with_pip=True)
    python = Path(folder) / "bin" / "python"
    (site,) = Path(folder).glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(others))
    missing = {} if compiler else {"CXX": "/nonexistent", "CC": "/nonexistent"}
    began = time.perf_counter()
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", SOURCE]
    subprocess.run(command, env={**os.environ, **missing}, check=True)
    print(f"installed in {time.perf_counter() - began:.0f} s, {'with' if compiler else 'without'} a compiler")
    return python


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        python = install(folder, compiler="--with-compiler" in sys.argv)
        subprocess.run([python, "-c", CHECK], cwd=folder, check=True)
