"""What commands take to start: `python scripts/start_times.py [ENVIRONMENT ...]`, such as .venv; several in turns.

Prints processor time in ms, the least and the median of seven turns, with bytecode kept, as where
a package is installed.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

COMMANDS = (
    ("ostinato", "--help"),
    ("ostinato", "train", "lm", "--help"),
    ("ostinato", "info"),
    ("python", "-c", "import ostinato"),
    ("python", "-c", "import ostinato; ostinato.LSTM"),
)
TURNS = 7


def taken(environment: Path, command: tuple[str, ...], kept: Path) -> float:
    """Milliseconds of processor time, of all threads."""
    variables = os.environ | {"PYTHONPYCACHEPREFIX": str(kept)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [str(environment / "bin" / command[0]), *command[1:]]
    subprocess.run(words, check=True, capture_output=True, env=variables, cwd=kept)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """A row a command, a column an environment."""
    environments = [Path(name).absolute() for name in sys.argv[1:] or [".venv"]]
    print(f"| command | {' | '.join(map(str, environments))} |\n|{'---|' * (1 + len(environments))}")
    with tempfile.TemporaryDirectory() as folder:
        kept = [Path(folder, str(number)) for number in range(len(environments))]
        for one in kept:
            one.mkdir()
        for command in COMMANDS:
            found: list[list[float]] = [[] for _ in environments]
            for _ in range(TURNS + 1):
                for times, environment, own in zip(found, environments, kept, strict=True):
                    times.append(taken(environment, command, own))
            shown = [f"{min(times[1:]):.0f} / {statistics.median(times[1:]):.0f}" for times in found]
            print(f"| `{' '.join(command)}` | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
