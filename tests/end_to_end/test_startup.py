"""Help and import are quick, because nothing heavy is imported for them."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("ostinato"))
HEAVY = ["torch", "numpy", "tokenizers", "lightning_fabric", "safetensors", "matplotlib"]


def best_of_three(*command):
    """Seconds of the processor: those of the wall are others' too where tests run beside each other."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(seconds)


def test_help_takes_less_than_a_second():
    assert best_of_three(COMMAND, "--help") < 1.0


def test_import_takes_less_than_half_a_second():
    nothing, ours = (best_of_three(sys.executable, "-c", code) for code in ("pass", "import ostinato"))
    assert ours - nothing < 0.5


@pytest.mark.parametrize("words", [["--help"], ["train", "lm", "--help"], ["generate", "--help"], ["--version"]])
def test_nothing_heavy_is_imported(words):
    script = (
        "import json, sys\n"
        "from ostinato.cli.main import main\n"
        f"try: main({words!r})\n"
        "except SystemExit as exit: assert exit.code == 0\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(found.stderr) == []
    assert found.stdout


def test_one_process_does_not_wait_for_fabric(tmp_path):
    (tmp_path / "book.txt").write_text("to be or not to be, that is the question. " * 20)
    words = [
        "train",
        "lm",
        "book.txt",
        "--out",
        "run",
        "--hidden",
        "4",
        "--batch",
        "2",
        "--steps",
        "5",
        "--epochs",
        "1",
    ]
    script = (
        "import sys\n"
        "from ostinato.cli.main import main\n"
        f"assert main({words!r}) == 0\n"
        "assert 'torch' in sys.modules and 'lightning_fabric' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
