"""What the layers are meant to reach, and how far they are from it."""

import math
from typing import Any, NamedTuple


class Target(NamedTuple):
    """How many times as fast as its fastest peer.

    Attributes:
        title: who, at which precision.
        groups: whose rows count.
        mean: geometric mean over the rows of more than one step.
        worst: of any of them.
        sgemm: a row that reaches this share of the machine's own rate has done enough.
    """

    title: str
    groups: tuple[str, ...]
    mean: float
    worst: float | None
    sgemm: float | None = None


TARGETS = (
    Target("LSTM", ("lstm",), 2.0, 1.1, 0.75),
    Target("GRU", ("gru",), 2.5, 1.3, 0.75),
    Target("RNN, tanh", ("rnn",), 2.5, 1.2, 0.75),
    Target("LSTM, high", ("lstm-high",), 3.0, 1.8),
    Target("LSTM, medium", ("lstm-medium",), 3.5, 2.0),
    Target("LSTM, bf16 modules", ("lstm-bf16",), 3.5, 2.0),
    Target("LSTM, AVX2 on all sides", ("lstm-avx2",), 1.3, 1.0),
    Target(
        "LSTM with layer norm, zoneout, peepholes; GRU, reset before",
        ("lstm_layer_norm", "lstm-zoneout", "lstm_peephole", "gru_reset_before"),
        10.0,
        4.0,
    ),
    Target("ragged batches, LSTM", ("ragged",), 3.0, 2.0),
    Target("inference, LSTM and GRU", ("inference-lstm", "inference-gru"), 1.5, 1.05),
    Target("one step of a stream, LSTM", ("step",), 5.0, None),
    Target("weights of 8 bits, one step of a stream, beside float32", ("int8",), 1.5, None),
)

#: Training rows of the LSTM with at least so many units and sequences should reach this share of the sgemm rate.
LARGE = {"H": 128, "N": 20}
LARGE_SHARE = 0.65


def reached(tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each target with measured rows and each number of threads: what was found, and by how much it falls short."""
    found = []
    for threads in sorted({table["threads"] for table in tables}, reverse=True):
        ours = [table for table in tables if table["threads"] == threads]
        for target in TARGETS:
            rows = [(t, row) for t in ours if t["group"] in target.groups for row in t["rows"] if row["ratio"]]
            several = [(t, row) for t, row in rows if row["row"]["T"] > 1 or t["work"] == "step"]
            if several:
                found.append({"target": target.title, "threads": threads, **_judged(target, several)})
        if shares := _shares(ours):
            found.append({"target": "LSTM, share of sgemm (H >= 128, N >= 20)", "threads": threads, **shares})
    return found


def _judged(target: Target, rows: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    mean = math.exp(sum(math.log(row["ratio"]) for _, row in rows) / len(rows))
    table, worst = min(rows, key=lambda pair: pair[1]["ratio"])
    measured = list(dict.fromkeys(owner["group"] for owner, _ in rows))
    short = []
    if mean < target.mean:
        short.append(f"mean by {1 - mean / target.mean:.0%}")
    if target.worst is not None:
        for owner, row in sorted(rows, key=lambda pair: _margin(target, pair[1])):
            if (margin := _margin(target, row)) < 1:
                short.append(f"{owner['group']} {_sizes(row)} by {1 - margin:.0%}")
    return {
        "measure": "times as fast",
        "mean": round(mean, 3),
        "wanted_mean": target.mean,
        "worst": worst["ratio"],
        "worst_row": f"{table['group']} {_sizes(worst)}",
        "worst_of_sgemm": worst["of_sgemm"],
        "wanted_worst": target.worst,
        "or_of_sgemm": target.sgemm,
        "of_groups": measured if len(measured) < len(target.groups) else [],
        "short": short,
        "void": any(table["void"] for table, _ in rows),
    }


def _margin(target: Target, row: dict[str, Any]) -> float:
    """1 or more where a row does enough."""
    ratio: float = row["ratio"] / target.worst if target.worst else row["ratio"]
    return max(ratio, row["of_sgemm"] / target.sgemm) if target.sgemm else ratio


def _shares(tables: list[dict[str, Any]]) -> dict[str, Any] | None:
    rows = [
        (table, row)
        for table in tables
        if table["group"] == "lstm"
        for row in table["rows"]
        if row["ms"] and all(row["row"][size] >= least for size, least in LARGE.items())
    ]
    if not rows:
        return None
    shares = [row["of_sgemm"] for _, row in rows]
    _, worst = min(rows, key=lambda pair: pair[1]["of_sgemm"])
    missing = [(row, 1 - row["of_sgemm"] / LARGE_SHARE) for _, row in rows if row["of_sgemm"] < LARGE_SHARE]
    return {
        "measure": "of sgemm",
        "mean": round(math.exp(sum(map(math.log, shares)) / len(shares)), 3),
        "wanted_mean": None,
        "worst": worst["of_sgemm"],
        "worst_row": f"lstm {_sizes(worst)}",
        "worst_of_sgemm": worst["of_sgemm"],
        "wanted_worst": LARGE_SHARE,
        "or_of_sgemm": None,
        "of_groups": [],
        "short": [f"lstm {_sizes(row)} by {by:.0%}" for row, by in missing],
        "void": any(table["void"] for table, _ in rows),
    }


def _sizes(row: dict[str, Any]) -> str:
    from ostinato.bench.groups import Row

    return str(Row(**row["row"]))
