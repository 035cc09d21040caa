"""How long the output layer's softmax takes, beside torch's: what ADR 0026 says of it. Writes Markdown.

python scripts/output_layer.py > benchmarks/results/output-layer.md
"""

import argparse
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor

from ostinato import kernels
from ostinato.bench.machine import Rate
from ostinato.bench.timing import Timed, interleaved
from ostinato.losses import linear_cross_entropy

_CHAIN = 64  # rows whose part in the bias's gradient torch sums in one go, so that no digits are lost
SCORES = ((6_400, 65, torch.float32), (700, 10_000, torch.float32), (700, 10_000, torch.bfloat16))
LAYERS = ((700, 100, 10_000, "highest"), (700, 100, 10_000, "medium"), (6_400, 512, 65, "highest"))


def by_torch(scores: Tensor, weights: Tensor) -> None:
    """Probabilities in place, and the bias's gradient."""
    torch.softmax(scores, 1, out=scores)
    total = torch.zeros(scores.shape[1])
    for some, share in zip(torch.split(scores, _CHAIN), torch.split(weights, _CHAIN), strict=True):
        total += torch.mv(some.T, share.to(some.dtype))


def of_softmax(rows: int, width: int, dtype: torch.dtype, seconds: float) -> str:
    """A row of the first table."""
    weights = torch.rand(rows)
    sides = {
        name: Timed(partial(side, torch.randn(rows, width).to(dtype), weights), nullcontext)
        for name, side in (("kernel", kernels.exponentials), ("torch", by_torch))
    }
    own, other = (spread.median for spread in interleaved(sides, seconds).values())
    kind = str(dtype).removeprefix("torch.")
    return f"| {rows:,} | {width:,} | {kind} | {own:.2f} | {other:.2f} | {other / own:.2f} |"


def of_loss(rows: int, features: int, words: int, precision: str, seconds: float) -> str:
    """A row of the second."""
    torch.set_float32_matmul_precision(precision)
    leaves = [torch.randn(rows, features), torch.randn(words, features) / 10, torch.zeros(words)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    targets = torch.randint(0, words, (rows,))

    def step() -> None:
        torch.autograd.grad(linear_cross_entropy(*leaves, targets) / rows, leaves)

    found = interleaved({"step": Timed(step, nullcontext)}, seconds)["step"]
    return f"| {rows:,} | {features} | {words:,} | {precision} | {found.median:.2f} |"


def main() -> None:
    """Print both tables, and how fast the machine was."""
    parser = argparse.ArgumentParser(description="Times of the output layer's softmax and loss")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each row")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rate = Rate(options.threads)
    print("# The output layer\n\nMedians in ms, made by `scripts/output_layer.py`.")
    print("\nThe softmax with the bias's gradient:\n")
    print("| rows | scores of each | dtype | kernel | torch.softmax and torch.mv | times as fast |")
    print("|---|---|---|---|---|---|")
    for one in SCORES:
        print(of_softmax(*one, options.seconds))
    print("\nThe whole loss with its gradients:\n\n| rows | E | V | precision | ms |\n|---|---|---|---|---|")
    for layer in LAYERS:
        print(of_loss(*layer, options.seconds))
    rates, void, _ = rate.since()
    busy = ": the machine was busy" if void else ""
    print(
        f"\nsgemm {rates['before']:.0f} before, {rates['after']:.0f} after, usual here {rates['usual']:.0f} GF/s{busy}."
    )


if __name__ == "__main__":
    main()
