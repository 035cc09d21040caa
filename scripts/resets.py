"""What resets cost, and what a loop over steps costs that does the same by hand: ADR 0044. Writes Markdown.

python scripts/resets.py > benchmarks/results/resets.md
"""

import argparse
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn

import ostinato
from ostinato.bench.timing import Timed, interleaved

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN, "gru_reset_before": None, "lstm_layer_norm": None}
SIZES = ((128, 8, 256), (128, 32, 128), (35, 20, 100))
EVERY = 50  # steps of a document, on average


def whole(layer: nn.Module, x: Tensor, upstream: Tensor, resets: Tensor | None) -> None:
    """Forward and backward in one call."""
    output, _ = layer(x) if resets is None else layer(x, resets=resets)
    _backward(layer, output, upstream)


def by_steps(layer: nn.Module, x: Tensor, upstream: Tensor, resets: Tensor) -> None:
    """The same by a call a step, the state set to zero where an episode begins: as programs for reinforcement do it."""
    kept, state, outputs = (~resets).to(x.dtype).unsqueeze(-1), None, []
    for t in range(len(x)):
        if state is not None:
            state = state * kept[t] if isinstance(state, Tensor) else tuple(field * kept[t] for field in state)
        output, state = layer(x[t : t + 1], state)
        outputs.append(output)
    _backward(layer, torch.cat(outputs), upstream)


def _backward(layer: nn.Module, output: Tensor, upstream: Tensor) -> None:
    torch.autograd.grad(output, list(layer.parameters()), upstream)


def row(name: str, T: int, N: int, H: int, seconds: float) -> str:
    """A line of the table."""
    torch.manual_seed(0)
    layer, x, upstream = ostinato.Recurrent(name, H, H), torch.randn(T, N, H), torch.randn(T, N, H)
    resets = torch.rand(T, N) < 1 / EVERY
    sides = {
        "none": partial(whole, layer, x, upstream, None),
        "resets": partial(whole, layer, x, upstream, resets),
        "steps": partial(by_steps, layer, x, upstream, resets),
    }
    if kind := CELLS[name]:
        sides["torch"] = partial(by_steps, kind(H, H), x, upstream, resets)
    times = {
        key: s.median for key, s in interleaved({k: Timed(v, nullcontext) for k, v in sides.items()}, seconds).items()
    }
    own, peer = times["resets"], times.get("torch")
    cells = [name, f"{T}, {N}, {H}", f"{times['none']:.2f}", f"{own:.2f}", f"{own / times['none'] - 1:+.1%}"]
    cells += [f"{times['steps']:.2f}", f"{times['steps'] / own:.1f}"]
    cells += ["-", "-"] if peer is None else [f"{peer:.2f}", f"{peer / own:.1f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each row")
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(range(len(SIZES))), help="which, from 0")
    options = parser.parse_args()
    print(f"# Resets\n\nForward and backward, float32, {torch.get_num_threads()} threads, medians in ms, made by")
    print(f"`scripts/resets.py`. A document is of {EVERY} steps on average.\n")
    print("| cell | T, N, H | none | resets | cost | our layer by steps | times | torch's layer by steps | times |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in options.cells:
        for index in options.sizes:
            print(row(name, *SIZES[index], options.seconds), flush=True)


if __name__ == "__main__":
    main()
