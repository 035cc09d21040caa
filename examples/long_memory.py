"""How long does a cell remember? The adding problem (after Hochreiter, Schmidhuber 1997).

Each step brings a random number from 0 to 1; two of them are marked, one in each half of the sequence, and their sum
is asked for at the end. Whoever answers 1 whatever comes is wrong by 1/6 = 0.167, mean squared; who knows the second
number alone by 1/12 = 0.083. To get below that a cell must keep the first one over at least the rest of its half, up to
the whole sequence, and the gradient must find back there: in a simple RNN it shrinks at every step, in the memory of a
gated cell it need not.

    python examples/long_memory.py             # some minutes; draws long_memory.png
    python examples/long_memory.py --lengths 50 --updates 100
"""

import argparse

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ostinato
from ostinato.plots import COLOURS, picture, require_matplotlib

CHANCE = 1 / 6
#: Cells, and what each starts with: forget gates at 0.73 instead of 0.5, half open (Jozefowicz et al. 2015). To keep a
#: memory over hundreds of steps from the start takes a bias of 3 or more.
CELLS: dict[str, dict[str, float]] = {"rnn": {}, "gru": {}, "lstm": {"forget_bias": 1.0}}


class Adder(nn.Module):
    """Reads numbers and marks, and answers by the output after the last step."""

    def __init__(self, cell: str, hidden_size: int = 64) -> None:
        super().__init__()
        self.recurrent = ostinato.Recurrent(cell, 2, hidden_size, **CELLS[cell])
        self.answer = nn.Linear(hidden_size, 1)

    def forward(self, steps: Tensor) -> Tensor:
        """`[T, N, 2]` number and mark -> `[N]` sums."""
        output, _ = self.recurrent(steps)
        return self.answer(output[-1]).squeeze(-1)


def sequences(length: int, count: int) -> tuple[Tensor, Tensor]:
    """Numbers with two marks `[T, N, 2]`, and the sum of the marked ones `[N]`."""
    numbers, half = torch.rand(length, count), length // 2
    first, second = torch.randint(0, half, (count,)), torch.randint(half, length, (count,))
    marks = (F.one_hot(first, length) + F.one_hot(second, length)).T.float()
    return torch.stack([numbers, marks], dim=-1), (numbers * marks).sum(0)


def learn(cell: str, length: int, updates: int, seed: int = 1, lr: float = 5e-3) -> tuple[list[int], list[float]]:
    """Train on fresh sequences; updates so far, and the mean squared error on 1,000 others, every 50 updates."""
    torch.manual_seed(seed)
    model = Adder(cell)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    test = sequences(length, 1000)
    at, errors = [], []
    for update in range(1, updates + 1):
        steps, sums = sequences(length, 64)
        loss = F.mse_loss(model(steps), sums)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if update % 50 == 0 or update == updates:
            with torch.no_grad():
                errors.append(F.mse_loss(model(test[0]), test[1]).item())
            at.append(update)
            if errors[-1] < 0.001:  # learned; go on to the next
                break
    return at, errors


def draw(curves: dict[tuple[str, int], tuple[list[int], list[float]]], file: str) -> None:
    """Error over updates, a panel's worth of lines: colour for the cell, stroke for the length."""
    lengths = sorted({length for _, length in curves})
    with picture(file) as axes:
        for (cell, length), (at, errors) in curves.items():
            stroke = ("-", "--", "-.", ":")[lengths.index(length) % 4]
            colour = COLOURS[list(CELLS).index(cell)]
            axes.plot(at, errors, linestyle=stroke, color=colour, label=f"{cell.upper()}, T = {length}")
        axes.axhline(CHANCE, color="#888888", linewidth=1)
        axes.annotate("always answering 1", (0, CHANCE), xytext=(2, -11), textcoords="offset points", color="#666666")
        axes.set(title="The adding problem: which cell still learns", xlabel="updates", ylabel="mean squared error")
        axes.set_yscale("log")
        axes.legend(fontsize=8, ncols=len(lengths), loc="upper center", bbox_to_anchor=(0.5, -0.15))


def main() -> None:
    """Train every cell at every length, print the errors, draw their course."""
    require_matplotlib()
    parser = argparse.ArgumentParser(description="The adding problem")
    parser.add_argument("--lengths", type=int, nargs="+", default=[50, 100, 200, 400], metavar="T")
    parser.add_argument("--updates", type=int, default=3000, help="of the weights, at most, for each cell and length")
    options = parser.parse_args()
    print(f"mean squared error; {CHANCE:.3f} is chance\n{'T':<6}" + "".join(f"{cell.upper():>10}" for cell in CELLS))
    curves = {}
    for length in options.lengths:
        print(f"{length:<6}", end="", flush=True)
        for cell in CELLS:
            curves[cell, length] = learn(cell, length, options.updates)
            print(f"{curves[cell, length][1][-1]:>10.4f}", end="", flush=True)
        print()
    draw(curves, "long_memory.png")


if __name__ == "__main__":
    main()
