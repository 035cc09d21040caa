"""RNN, GRU or LSTM? What each costs and what each can be taught, at the same work.

A simple RNN is one product and a tanh; an LSTM has four of them and a second arrow from step to step, the memory cell,
that is added to instead of overwritten. The comparison is fair only at the same work, so each gets as many units as
make the same number of multiplications a step. The question: read random letters, one of them marked, and name that one
at the end. It takes knowing what to write down, and keeping it while other letters come: 5 steps, or 20.

    python examples/rnn_or_lstm.py             # a minute or so; draws rnn_or_lstm.png
    python examples/rnn_or_lstm.py --updates 50
"""

import argparse
import time

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ostinato
from ostinato.plots import picture, require_matplotlib

CELLS = {"rnn": 1, "gru": 3, "lstm": 4}  # gates: products with W_ih and W_hh each
LETTERS, WORK = 8, 20_000  # kinds of letters; multiplications a step
D = LETTERS + 1  # a letter as one of eight, and whether it is marked
SHORT, LONG = 5, 20


class Recall(nn.Module):
    """Reads letters, and names the marked one by the state after the last."""

    def __init__(self, cell: str, hidden_size: int) -> None:
        super().__init__()
        options = {"forget_bias": 1.0} if cell == "lstm" else {}  # gates that begin half open
        self.recurrent = ostinato.Recurrent(cell, D, hidden_size, **options)
        self.answer = nn.Linear(hidden_size, LETTERS)

    def forward(self, letters: Tensor) -> Tensor:
        """`[T, N, D]` letters and mark -> `[N, 8]` scores of what the marked one was."""
        output, _ = self.recurrent(letters)
        return self.answer(output[-1])


def units(gates: int) -> int:
    """H for which the products a step, gates * H * (D + H), come nearest to the work allowed."""
    return round(((D**2 + 4 * WORK / gates) ** 0.5 - D) / 2)


def marked_letters(length: int, count: int) -> tuple[Tensor, Tensor]:
    """Random sequences `[T, N, D]` with a mark somewhere in the first half, and the marked letters `[N]`."""
    letters, at = torch.randint(0, LETTERS, (length, count)), torch.randint(0, length // 2, (count,))
    mark = F.one_hot(at, length).T.unsqueeze(-1)
    return torch.cat([F.one_hot(letters, LETTERS), mark], dim=-1).float(), letters[at, torch.arange(count)]


def learn(cell: str, length: int, updates: int, seed: int = 1) -> tuple[list[float], list[float]]:
    """Train on fresh letters; seconds so far and share of right answers, every 25 updates."""
    torch.manual_seed(seed)
    model = Recall(cell, units(CELLS[cell]))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    seconds, right = [], []
    spent = 0.0
    for update in range(updates):
        letters, marked = marked_letters(length, 64)
        began = time.process_time()
        scores = model(letters)
        optimizer.zero_grad()
        F.cross_entropy(scores, marked).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        spent += time.process_time() - began
        if update % 25 == 24 or update == updates - 1:
            with torch.no_grad():
                letters, marked = marked_letters(length, 512)
                right.append((model(letters).argmax(-1) == marked).float().mean().item())
            seconds.append(spent)
    return seconds, right


def same_weights_at_every_step() -> None:
    """One set of weights, whatever the length; and one arrow or two from step to step."""
    layer = ostinato.LSTM(D, units(4))
    counted = sum(p.numel() for p in layer.parameters())
    for length in (SHORT, LONG, 1000):
        output, _ = layer(torch.zeros(length, 1, D))
        print(f"an LSTM over {length:>5} steps: {counted:,} parameters, output {list(output.shape)}")
    print(f"passed from step to step: by the RNN {ostinato.Recurrent('rnn', 2, 3).cell.State._fields},")
    print(f"                          by the LSTM {layer.cell.State._fields}\n")


def draw(curves: dict[str, tuple[list[float], list[float]]], file: str) -> None:
    """Right answers over the seconds spent training, for the long sequence."""
    with picture(file) as axes:
        for cell, (seconds, right) in curves.items():
            axes.plot(seconds, [100 * share for share in right], label=f"{cell.upper()}, {units(CELLS[cell])} units")
        axes.axhline(100 / LETTERS, color="#888888", linestyle=":", linewidth=1, label="guessing")
        axes.set(title=f"Naming the marked one of {LONG} letters, at the same work a step")
        axes.set(xlabel="processor time of training (seconds)", ylabel="right answers (%)", ylim=(0, 103))
        axes.legend(loc="upper left")


def main() -> None:
    """Train all three on both lengths, print the table, draw the long one."""
    require_matplotlib()
    parser = argparse.ArgumentParser(description="RNN, GRU and LSTM at the same work")
    parser.add_argument("--updates", type=int, default=1000, help="of the weights, for each cell and length")
    updates = parser.parse_args().updates
    same_weights_at_every_step()
    print(f"{'cell':<6}{'units':>6}{'parameters':>12}{'products':>10}{'ms/update':>11}", end="")
    print(f"{f'T={SHORT}':>8}{f'T={LONG}':>8}   right answers after {updates} updates")
    curves, ends = {}, {}
    for cell, gates in CELLS.items():
        H = units(gates)
        parameters = sum(p.numel() for p in Recall(cell, H).parameters())
        quick, short = learn(cell, SHORT, updates)
        curves[cell] = learn(cell, LONG, updates)
        seconds, long = curves[cell]
        each = 1e3 * seconds[-1] / updates
        print(f"{cell:<6}{H:>6}{parameters:>12,}{gates * H * (D + H):>10,}{each:>11.2f}", end="")
        print(f"{short[-1]:>8.0%}{long[-1]:>8.0%}", flush=True)
        ends[cell] = quick[-1], short[-1], long[-1]
    draw(curves, "rnn_or_lstm.png")
    print(f"\nT={SHORT}: " + ", ".join(f"{cell} {ends[cell][1]:.0%} after {ends[cell][0]:.0f} s" for cell in CELLS))
    if ends["rnn"][2] < 0.9 < ends["lstm"][2]:
        print(f"Over {LONG} letters more units do not replace gates.")


if __name__ == "__main__":
    main()
