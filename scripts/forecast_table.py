"""The table of forecasts in benchmarks/results: real series, trained on defaults, beside naive forecasts.

    python scripts/forecast_table.py --data ../shared/data/timeseries --seeds 1 2 3 --retrain

It runs `ostinato train forecast` and `ostinato evaluate` on AirPassengers, monthly sunspots and Beijing's PM2.5, adds a
line of JSON to --out for each, and writes the table of all lines there are beside it, in Markdown.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

COMMAND = str(Path(sys.executable).with_name("ostinato"))
WEATHER = ("--past", "DEWP,TEMP,PRES,cbwd,Iws,Is,Ir")  # known until the forecast is made
HOURLY = ("--window", "48", "--horizon", "24", "--season", "24")
FIGURES = ("mae", "rmse", "mape", "mase")


HEAD = """# Forecasts of real series

Trained on the defaults, on the first 120 months (AirPassengers) or the first 80 % of the rows, and forecast from every
row after those. "at each window": trained again for each forecast, on all rows before it (`--retrain`). MAPE in
percent, over targets other than 0; MASE is scaled by the seasonal naive error on the rows trained on. Seconds are those
of a machine that did other work beside. Made by `scripts/forecast_table.py`.
"""


class Case(NamedTuple):
    """A series.

    Attributes:
        file: of the data folder.
        trained: rows that training is given: a number of them, or a share.
        options: of train.
        retrain: whether training again at each window takes minutes, not hours.
    """

    file: str
    trained: float
    options: tuple[str, ...]
    retrain: bool = False


CASES = {
    "AirPassengers": Case(
        "AirPassengers.csv",
        120,
        ("--target", "#Passengers", "--time", "Month", "--window", "24", "--horizon", "6", "--season", "12"),
        retrain=True,
    ),
    "monthly-sunspots": Case(
        "monthly-sunspots.csv",
        0.8,
        ("--target", "Sunspots", "--time", "Month", "--window", "132", "--horizon", "36", "--season", "132"),
    ),
    "pollution": Case(
        "pollution.csv",
        0.8,
        ("--target", "pm2.5", "--time", "year,month,day,hour", *WEATHER, *HOURLY),
    ),
}


def ostinato(*words: str) -> dict[str, Any]:
    """Run a command; its JSON object."""
    done = subprocess.run([COMMAND, *words, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def cut(file: Path, trained: float, out: Path) -> int:
    """Write the first rows of a table, and say how many."""
    with file.open(encoding="utf-8", newline="") as source:
        header, *rows = csv.reader(source)
    count = int(trained if trained > 1 else trained * len(rows))
    with out.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows([header, *rows[:count]])
    return count


def measure(name: str, case: Case, data: Path, seed: int, again: bool) -> list[dict[str, Any]]:
    """One line for the model trained once, and one for the model trained again at each window."""
    with tempfile.TemporaryDirectory() as folder:
        first, run = Path(folder) / "train.csv", str(Path(folder) / "run")
        rows = cut(data / case.file, case.trained, first)
        began = time.monotonic()
        trained = ostinato("train", "forecast", str(first), "--out", run, *case.options, "--seed", str(seed))
        line = {"data": name, "rows": rows, "seed": seed, "options": " ".join(case.options)}
        line |= {"parameters": trained["parameters"], "seconds": round(time.monotonic() - began, 1)}
        lines = [line | {"trained": "once"} | ostinato("evaluate", run, str(data / case.file))]
        if again and case.retrain:
            found = ostinato("evaluate", run, str(data / case.file), "--retrain")
            seconds = round(time.monotonic() - began, 1)
            lines.append(line | {"trained": "at each window", "seconds": seconds} | found)
    return lines


def table(lines: list[dict[str, Any]]) -> str:
    """The lines in Markdown, the naive forecasts' first."""
    head = ["data", "trained", "seed", "windows", "MAE", "RMSE", "MAPE", "MASE", "80 % interval holds", "seconds"]
    rows, seen = [head, ["---"] * len(head)], set()
    for line in lines:
        if line["data"] not in seen:
            seen.add(line["data"])
            for kind, prefix in (("last value", "last_value_"), ("seasonal naive", "naive_")):
                rows.append([line["data"], kind, "", str(line["windows"])])
                rows[-1] += [_shown(line[prefix + figure]) for figure in FIGURES] + ["", ""]
        rows.append([line["data"], line["trained"], str(line["seed"]), str(line["windows"])])
        rows[-1] += [_shown(line[figure]) for figure in FIGURES]
        rows[-1] += [_shown(line.get("coverage_80")), str(line["seconds"])]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def main() -> None:
    """Measure what was asked for, a line at a time, and write the table."""
    parser = argparse.ArgumentParser(description="Forecasts of real series")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/timeseries"), help="folder of the tables")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/forecast.jsonl"), help="lines to add to")
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=CASES, help="which series")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--retrain", action="store_true", help="also train again at each window")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for name in options.cases:
        for seed in options.seeds:
            for line in measure(name, CASES[name], options.data, seed, options.retrain):
                with options.out.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(line) + "\n")
    lines = [json.loads(line) for line in options.out.read_text(encoding="utf-8").splitlines()]
    page = f"{HEAD}\n{table(sorted(lines, key=lambda line: list(CASES).index(line['data'])))}\n"
    options.out.with_suffix(".md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
