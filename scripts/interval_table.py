"""How much of what came lay within calibrated intervals: `python scripts/interval_table.py [--heads point quantile]`.

Trains `ostinato train forecast --interval 0.8,0.95` on the first rows of AirPassengers and monthly sunspots, as the
table of forecasts does, and evaluates on all of the series; prints a row for each head, and the mean over the seeds.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from forecast_table import CASES, cut, ostinato

NAMES = ("AirPassengers", "monthly-sunspots")


def shares(name: str, head: str, seed: int, data: Path) -> tuple[float, float]:
    """Shares of the targets within the intervals of 80 and 95 percent."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        first, run = Path(folder) / "train.csv", str(Path(folder) / "run")
        cut(data / case.file, case.trained, first)
        words = (str(first), "--out", run, *case.options, "--head", head, "--seed", str(seed), "--threads", "1")
        ostinato("train", "forecast", *words, "--interval", "0.8,0.95")
        found = ostinato("evaluate", run, str(data / case.file))
    return found["coverage_80"], found["coverage_95"]


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(os.environ.get("OSTINATO_DATA", "../shared/data")) / "timeseries"
    parser.add_argument("--data", type=Path, default=default, help="folder of the tables")
    parser.add_argument("--cases", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument("--heads", nargs="*", default=["point", "quantile"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    asked = parser.parse_args()
    print("| data | head | within 80 %, by seed | mean | within 95 %, by seed | mean |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in asked.cases:
        for head in asked.heads:
            each = [shares(name, head, seed, asked.data) for seed in asked.seeds]
            cells = []
            for level in zip(*each, strict=True):
                cells += [", ".join(f"{share:.3f}" for share in level), f"{statistics.mean(level):.3f}"]
            print(f"| {name} | {head} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
