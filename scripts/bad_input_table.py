"""Print a Markdown table of what the installed command says to each mistake.

    python scripts/bad_input_table.py

Takes about three seconds a row, as each is a process of its own. The rows are those that the tests check.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.end_to_end.bad_input import CASES, RUN, make_folder
from tests.support import contents

COMMAND = str(Path(sys.executable).with_name("ostinato"))


def main() -> None:
    """Run every row in a copy of one prepared folder, then Ctrl-C in the middle of a training."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"XDG_CACHE_HOME": f"{home}/cache", "OMP_NUM_THREADS": "1"}
        template = Path(home, "template")
        template.mkdir()
        make_folder(template)
        subprocess.run([COMMAND, *RUN], cwd=template, check=True, capture_output=True)
        print("| case | exit status | message | run folder |\n|---|---|---|---|")
        for number, case in enumerate(CASES):
            folder = Path(home, str(number))
            shutil.copytree(template, folder)
            case.prepare(folder)
            before = contents(folder)
            done = subprocess.run([COMMAND, *case.command], cwd=folder, check=False, capture_output=True, text=True)
            after = {name: digest for name, digest in contents(folder).items() if not name.startswith("new/")}
            row(case.name, done.returncode, done.stderr, "untouched" if after == before else "CHANGED")
        row("Ctrl-C in the middle", *interrupted(template), "checkpoint saved")


def interrupted(folder: Path) -> tuple[int, str]:
    """Exit status and last line of a training that was sent SIGINT."""
    options = ["train", "lm", "book.txt", "--out", "long", "--hidden", "64", "--batch", "4", "--epochs", "10000"]
    process = subprocess.Popen([COMMAND, *options], cwd=folder, stderr=subprocess.PIPE, text=True)
    while not (folder / "long/checkpoint/latest.json").exists():
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (folder / "long/checkpoint/latest.json").exists()
    return process.returncode, err.splitlines()[-1]


def row(name: str, status: int, err: str, folder: str) -> None:
    """One row."""
    lines = [line for line in err.splitlines() if line]
    message = " ".join(lines) if status else lines[-1]
    if "Traceback" in err:
        message = f"TRACEBACK {message}"
    print(f"| {name} | {status} | {message.replace('|', chr(92) + '|')} | {folder} |", flush=True)


if __name__ == "__main__":
    main()
