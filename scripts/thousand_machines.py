"""What more machines would change, on paper: `python scripts/thousand_machines.py` prints a table for the guide.

Each machine is taken to compute as fast as the one that was measured, on a batch of its own of the preset's size. A
step sends every gradient by a ring: 2 (W - 1) / W times the weights' bytes leave each machine, in 2 (W - 1) messages,
one after the other. Buckets travel while backward runs, two thirds of a step; what takes longer is waited for. Machines
are alike here: of others, all wait for the slowest.
"""

import json
from pathlib import Path

from ostinato.bench.language.problem import Problem

MEASURED = Path(__file__).parents[1] / "benchmarks/results/lm-amd-epyc-family-25-model-17.json"
LATENCY = 50e-6  #: seconds that a message takes beside its bytes
BACKWARD = 2 / 3  #: of a step
RATES = (1, 10, 100)  #: Gb/s
MACHINES = (2, 10, 1000)


def waiting(size: int, step: float, machines: int, rate: float) -> float:
    """Share of a step spent waiting.

    Args:
        size: bytes of all gradients.
        step: seconds to compute it.
        machines: how many.
        rate: of the network, in Gb/s.
    """
    travels = 2 * (machines - 1) * (size / machines * 8 / (rate * 1e9) + LATENCY)
    waited = max(0.0, travels - BACKWARD * step)
    return waited / (step + waited)


def main() -> None:
    """Print the table."""
    rows = json.loads(MEASURED.read_text())["rows"]
    steps = {row["preset"]: row["ours_ms"] / 1000 for row in rows if row["precision"] == "highest"}
    heads = [f"{machines:,} machines, {rate} Gb/s" for machines in MACHINES for rate in RATES]
    print("| preset | parameters | MB a step | step | " + " | ".join(heads) + " |")
    print("| --- " * (4 + len(heads)) + "|")
    for preset, step in steps.items():
        size = 4 * sum(parameter.numel() for parameter in Problem.make(preset).model.parameters())
        shares = [f"{waiting(size, step, machines, rate):.0%}" for machines in MACHINES for rate in RATES]
        print(
            f"| {preset} | {size // 4:,} | {2 * size / 1e6:.1f} | {step * 1000:.0f} ms | " + " | ".join(shares) + " |"
        )


if __name__ == "__main__":
    main()
