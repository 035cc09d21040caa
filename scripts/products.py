"""Products of an output layer by this package's kernels beside torch's: `python scripts/products.py`.

Each is the median of turns of both, warm. The first table is of training: scores, and the gradients by hidden states
and by weights, of M rows, D features and V words. The second is of generation: `kernels.matmul.rows`, in which a row
has the same bits whatever stands beside it, beside torch's layer, in which it has not.
"""

import argparse
from collections.abc import Callable

import torch
from torch import nn

from ostinato.bench import machine, timing
from ostinato.bench.pages import about, markdown_table, milliseconds
from ostinato.kernels import matmul
from ostinato.native import library as native_library

TRAINING = [(700, 100, 10_000), (700, 650, 10_000), (512, 256, 2_000), (1_600, 128, 96)]
GENERATION = [(1, 100, 10_000), (1, 650, 10_000), (16, 650, 10_000), (64, 650, 10_000), (64, 100, 10_000)]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each product")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"{about(machine.describe())} {given.threads} threads.\n")
    head = ["ms: kernels / torch, times as fast", "scores", "gradient of hidden states", "gradient of weights"]
    print(markdown_table([head, *(_training(*sizes, given.seconds) for sizes in TRAINING)]), end="\n\n")
    head = ["rows by weights", "kernels ms", "torch ms", "times as fast"]
    print(markdown_table([head, *(_generation(*sizes, given.seconds) for sizes in GENERATION)]))


def _training(M: int, D: int, V: int, seconds: float) -> list[str]:
    library = native_library.load()
    assert not isinstance(library, str), library
    hidden, weight, scores = torch.randn(M, D), torch.randn(V, D), torch.empty(M, V)
    by_hidden, by_weight = torch.empty(M, D), torch.zeros(V, D)
    products = [(hidden, weight.T, scores), (scores, weight, by_hidden), (scores.T, hidden, by_weight)]
    cells = []
    for a, b, into in products:
        ours, theirs = _timed(
            lambda a=a, b=b, into=into: matmul.run(library, a, b, into),
            lambda a=a, b=b, into=into: torch.mm(a, b, out=into),
            seconds,
        )
        cells.append(f"{milliseconds(ours)} / {milliseconds(theirs)}, {theirs / ours:.2f}")
    return [f"{M} x {D} x {V:,}", *cells]


def _generation(M: int, D: int, V: int, seconds: float) -> list[str]:
    x, layer = torch.randn(M, D), nn.Linear(D, V).requires_grad_(False)
    ours, theirs = _timed(lambda: matmul.rows(x, layer.weight, layer.bias), lambda: layer(x), seconds)
    return [f"{M} x {D} x {V:,}", milliseconds(ours), milliseconds(theirs), f"{theirs / ours:.2f}"]


def _timed(ours: Callable[[], object], theirs: Callable[[], object], seconds: float) -> tuple[float, float]:
    sides = {"ours": timing.Timed(ours, torch.inference_mode), "theirs": timing.Timed(theirs, torch.inference_mode)}
    found = timing.interleaved(sides, seconds)
    return found["ours"].median, found["theirs"].median


if __name__ == "__main__":
    main()
