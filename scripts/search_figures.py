"""What a search finds beside the defaults and beside random draws: for benchmarks/results/search.md.

    python scripts/search_figures.py TEXT FOLDER [--trials 20] [--seconds 60] [--seeds 3] [--kills 5] [-- OPTION...]

A character model (or what the OPTIONs of `train lm` say) is trained on TEXT by its defaults for so many seconds, once a
seed, and searched for with trials as long: by TPE with pruning, and by random draws without. The first search is killed
(SIGKILL, with the trainings under way) so many times at random moments, and gone on with (Linux). What is done lies in
FOLDER: the same command goes on where it was, whatever stopped it. By default it takes about two hours.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

SAMPLERS = {"tpe": [], "random": ["--sampler", "random", "--no-prune"]}


def begin(*words: str, log: Path) -> "subprocess.Popen[bytes]":
    """A command in a session of its own, which can be killed with all that it has started."""
    with log.open("ab") as to:
        return subprocess.Popen(
            [sys.executable, "-m", "ostinato", *words], stdout=to, stderr=to, start_new_session=True
        )


def processes_of(first: int) -> list[int]:
    """A process and all below it: a search's trainings have sessions of their own, but their parents tell."""
    found, parents = [first], dict[int, int]()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    for process in sorted(parents):
        above = process
        while above in parents and above != first:
            above = parents[above]
        if above == first and process != first:
            found.append(process)
    return found


def run(*words: str, log: Path) -> None:
    """A command to its end."""
    process = begin(*words, log=log)
    try:
        if process.wait():
            sys.exit(f"failed: ostinato {' '.join(words)}; see {log}")
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


def killed(*words: str, log: Path, times: Path, wanted: int, longest: float) -> None:
    """Kill a command as often as wanted, in all starts of this program together."""
    draw = random.Random(1)
    while (done := int(times.read_text()) if times.exists() else 0) < wanted:
        wait = [draw.uniform(0.2, 0.8) * longest for _ in range(done + 1)][-1]
        process = begin(*words, log=log)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            for one in processes_of(process.pid):
                os.kill(one, signal.SIGKILL)
            process.wait()
            times.write_text(str(done + 1))
        else:
            return  # it has ended before


def searched(folder: Path) -> dict[str, float]:
    """What a search found: the best loss, and how many trials ended in which way."""
    found = json.loads((folder / "trials.json").read_text())
    trials = found["trials"] if isinstance(found, dict) else found
    states = [trial["state"] for trial in trials]
    best = min(trial["value"] for trial in trials if trial["state"] == "complete")
    return {"best": best, "complete": states.count("complete"), "pruned": states.count("pruned")}


def trained(folder: Path) -> float:
    """The lowest validation loss of a run."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return min(line["valid_loss"] for line in lines if "valid_loss" in line)


def main() -> None:
    """Measure."""
    asked = argparse.ArgumentParser()
    asked.add_argument("text")
    asked.add_argument("folder", type=Path)
    for name, default in (("trials", 20), ("seconds", 60), ("seeds", 3), ("kills", 5)):
        asked.add_argument(f"--{name}", type=int, default=default)
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    given = asked.parse_args(sys.argv[1:cut])
    folder, seeds, began = given.folder, range(1, given.seeds + 1), time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    what = ["lm", given.text, *sys.argv[cut + 1 :]]
    for seed in seeds:
        place, log = folder / f"default-{seed}", folder / f"default-{seed}.log"
        more = ["--time-limit", str(given.seconds), "--seed", str(seed), "--out", str(place), "--resume"]
        if not (folder / f"default-{seed}.done").exists():
            run("train", *what, *more, log=log)
            (folder / f"default-{seed}.done").touch()
    for seed in seeds:
        for sampler, own in SAMPLERS.items():
            place, log = folder / f"{sampler}-{seed}", folder / f"{sampler}-{seed}.log"
            more = ["--trials", str(given.trials), "--trial-time", str(given.seconds), "--seed", str(seed), *own]
            words = ["search", *what, *more, "--out", str(place), "--resume"]
            if (folder / f"{sampler}-{seed}.done").exists():
                continue
            if (sampler, seed) == ("tpe", 1):
                longest = given.trials * given.seconds / max(1, given.kills)
                killed(*words, log=log, times=folder / "kills", wanted=given.kills, longest=longest)
            run(*words, log=log)
            (folder / f"{sampler}-{seed}.done").touch()
    print(f"{given.trials} trials of {given.seconds} s, validation loss (nats a token), the best of each\n")
    print("| seed | defaults | TPE, pruned | trials complete, pruned | random | trials complete |")
    print("| --- | --- | --- | --- | --- | --- |")
    found = {sampler: [searched(folder / f"{sampler}-{seed}") for seed in seeds] for sampler in SAMPLERS}
    defaults = [trained(folder / f"default-{seed}") for seed in seeds]
    for seed, default, tpe, drawn in zip(seeds, defaults, found["tpe"], found["random"], strict=True):
        ended = f"{tpe['complete']}, {tpe['pruned']}"
        print(f"| {seed} | {default:.4f} | {tpe['best']:.4f} | {ended} | {drawn['best']:.4f} | {drawn['complete']} |")
    means = [statistics.mean(each["best"] for each in found[sampler]) for sampler in SAMPLERS]
    print(f"| mean | {statistics.mean(defaults):.4f} | {means[0]:.4f} | | {means[1]:.4f} | |")
    times = folder / "kills"
    print(
        f"\nkilled {times.read_text() if times.exists() else 0} times; {time.monotonic() - began:.0f} s in this start"
    )


if __name__ == "__main__":
    main()
