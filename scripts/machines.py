"""Two hosts against one process: `python scripts/machines.py tasks [TASK...]` trains each task on both, `kills N` kills
processes of a training N times, at random, and starts it again. Prints tables for benchmarks/results/machines.md.

The hosts are network namespaces with a cable between them, as in the tests; it takes root and iproute2.
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.end_to_end.harness import start
from tests.end_to_end.hosts import two_hosts
from tests.end_to_end.pair import TASKS, TINY, Pair, write_data
from tests.support import metrics, prose

STEPS = 100


def losses(run: Path) -> list[float]:
    """Of each step."""
    return [line["loss"] for line in metrics(run) if "loss" in line]


def alone(words: list[str], folder: Path, logs: Path) -> None:
    """Train in one process."""
    ended = start(words, folder, logs, dict(os.environ, XDG_CACHE_HOME=str(folder.parent / "cache"))).wait()
    assert ended.status == 0, ended.err


def tasks(pair: Pair, root: Path, names: list[str]) -> None:
    """Every task: the loss of its first hundred steps, and of the hundredth."""
    print("| task | loss of step 100, one process | two hosts | largest difference of steps 1 to 100 |")
    print("| --- | --- | --- | --- |")
    one = root / "one" / "work"
    one.mkdir(parents=True)
    for folder in (one, pair.folders[0]):
        write_data(folder)
    for task in names or TASKS:
        words = ["train", task, *TASKS[task], *TINY, "--out", task]
        alone(words, one, root / f"logs-{task}")
        for ended in pair.run(*words):
            assert ended.status == 0, ended.err
        found = [losses(folder / task)[:STEPS] for folder in (one, pair.folders[0])]
        assert len(found[0]) == len(found[1]) == STEPS, (task, len(found[0]))
        most = max(abs(a - b) for a, b in zip(*found, strict=True))
        print(f"| {task} | {found[0][-1]:.6f} | {found[1][-1]:.6f} | {most:.1e} |", flush=True)


def kills(pair: Pair, count: int) -> None:
    """A language model: killed so many times, one of its processes or both, and gone on with."""
    words = ["train", "lm", "book.txt", "--hidden", "16", "--threads", "1", "--batch", "8", "--steps", "10"]
    words += ["--epochs", "6", "--save-every", "0", "--lost-after", "20"]
    (pair.folders[0] / "book.txt").write_text(prose(400))
    began = time.monotonic()
    for ended in pair.run(*words, "--out", "undisturbed"):
        assert ended.status == 0, ended.err
    draw, latest, done, named = random.Random(1), pair.folders[0] / "run/checkpoint/latest.json", 0, 0
    undisturbed = time.monotonic() - began
    while True:
        commands = pair.start(*words, "--out", "run", "--resume")
        before = latest.read_bytes() if latest.exists() else b""
        if done == count:
            break
        commands[0].wait_until(lambda seen=before: latest.exists() and latest.read_bytes() != seen)
        time.sleep(draw.uniform(0, 0.3))
        victims = draw.choice([[0], [1], [0, 1]])
        if not all(command.process.is_alive() for command in commands):
            break  # it has ended before
        for victim in victims:
            commands[victim].kill()
        left = [command.wait() for number, command in enumerate(commands) if number not in victims]
        named += sum("is no longer heard of" in ended.err and ended.status == 2 for ended in left)
        assert not any("Traceback" in ended.err for ended in left)
        done += 1
    for command in commands:
        ended = command.wait()
        assert ended.status == 0, ended.err
    same = [(pair.folders[0] / run / "model.safetensors").read_bytes() for run in ("undisturbed", "run")]
    print(f"killed {done} times, survivors that named the lost one: {named}; undisturbed {undisturbed:.0f} s")
    print("the same weights, to the bit:", same[0] == same[1])
    print("the same metrics:", metrics(pair.folders[0] / "undisturbed") == metrics(pair.folders[0] / "run"))


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder, two_hosts() as hosts:
        pair = Pair(hosts, Path(folder, "hosts"))
        try:
            tasks(pair, Path(folder), sys.argv[2:]) if sys.argv[1] == "tasks" else kills(pair, int(sys.argv[2]))
        finally:
            pair.end()


if __name__ == "__main__":
    main()
