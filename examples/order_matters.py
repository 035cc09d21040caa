"""Order lived through, or told: an RNN beside a net with a position index.

Does an a come directly before a b? The same letters say yes in one order and no in another, so a net that only counts
letters can do no better than guess. A net without a memory can be told the order: beside each letter it gets the
letter's number in the sequence, takes the mean of what it makes of each such pair, and answers by that. An RNN is told
nothing: it reads one letter after the other. What it learns of a step holds at every step, so it goes on to
lengths it was never trained on; what the other learns of place 3 says nothing about
place 30.

    python examples/order_matters.py           # half a minute; draws order_matters.png
    python examples/order_matters.py --updates 50
"""

import argparse

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ostinato
from ostinato.plots import picture, require_matplotlib

A, B, LETTERS = 0, 1, 8
TRAINED, LENGTHS = 12, (6, 12, 18, 24, 36, 48)


class WithPositions(nn.Module):
    """Each letter and its position through a net; the mean over all places through another."""

    def __init__(self, hidden_size: int = 128) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(LETTERS + max(LENGTHS), hidden_size), nn.ReLU())
        self.answer = nn.Sequential(nn.Linear(hidden_size, hidden_size), nn.ReLU(), nn.Linear(hidden_size, 1))

    def forward(self, letters: Tensor) -> Tensor:
        """`[T, N]` letters -> `[N]` scores of yes."""
        T, N = letters.shape
        position = F.one_hot(torch.arange(T), max(LENGTHS)).unsqueeze(1).expand(-1, N, -1)
        told = torch.cat([F.one_hot(letters, LETTERS), position], dim=-1).float()
        return self.answer(self.each(told).mean(0)).squeeze(-1)


class StepByStep(nn.Module):
    """One letter after the other; the answer is in the last output."""

    def __init__(self, hidden_size: int = 32) -> None:
        super().__init__()
        self.recurrent = ostinato.GRU(LETTERS, hidden_size)
        self.answer = nn.Linear(hidden_size, 1)

    def forward(self, letters: Tensor) -> Tensor:
        """`[T, N]` letters -> `[N]` scores of yes."""
        output, _ = self.recurrent(F.one_hot(letters, LETTERS).float())
        return self.answer(output[-1]).squeeze(-1)


def sequences(length: int, pairs: int) -> tuple[Tensor, Tensor]:
    """Letters `[T, 2 * pairs]` and answers: first those with an a before a b, then the same letters without one."""
    yes = torch.randint(0, LETTERS, (length, pairs))
    at, each = torch.randint(0, length - 1, (pairs,)), torch.arange(pairs)
    yes[at, each], yes[at + 1, each] = A, B
    no = yes.clone()
    while (found := (no[:-1] == A) & (no[1:] == B)).any():
        step, column = found.nonzero(as_tuple=True)
        no[step, column], no[step + 1, column] = B, A
    return torch.cat([yes, no], dim=1), torch.cat([torch.ones(pairs), torch.zeros(pairs)])


def learn(model: nn.Module, updates: int) -> dict[int, float]:
    """Train on sequences of one length; the share of right answers on 2,000 new ones of every length."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(updates):
        letters, answers = sequences(TRAINED, 64)
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(model(letters), answers).backward()
        optimizer.step()
    right = {}
    for length in LENGTHS:
        letters, answers = sequences(length, 1000)
        with torch.no_grad():
            right[length] = ((model(letters) > 0) == answers.bool()).float().mean().item()
    return right


def draw(found: dict[str, dict[int, float]], file: str) -> None:
    """Right answers over the length."""
    with picture(file) as axes:
        for name, right in found.items():
            axes.plot(list(right), [100 * share for share in right.values()], marker="o", label=name)
        axes.axhline(50, color="#888888", linestyle=":", linewidth=1, label="counting letters")
        axes.axvline(TRAINED, color="#666666", linewidth=0.8)
        axes.annotate("trained on", (TRAINED, 103), xytext=(3, 0), textcoords="offset points", color="#666666")
        axes.set(title="Does an a come directly before a b?", xlabel="letters", ylabel="right answers (%)")
        axes.set_ylim(45, 108)
        axes.legend(loc="center right")


def main() -> None:
    """Train both, print the table, draw it."""
    require_matplotlib()
    parser = argparse.ArgumentParser(description="A net with a position index beside an RNN")
    parser.add_argument("--updates", type=int, default=1500, help="of the weights, for each net")
    updates = parser.parse_args().updates
    torch.manual_seed(1)
    models = {"told the position": WithPositions(), "step by step (GRU)": StepByStep()}
    print(f"right answers after {updates} updates on sequences of {TRAINED} letters")
    print(f"{'':<20}{'parameters':>10}" + "".join(f"{f'T={length}':>7}" for length in LENGTHS))
    found = {}
    for name, model in models.items():
        parameters = sum(p.numel() for p in model.parameters())
        found[name] = learn(model, updates)
        print(f"{name:<20}{parameters:>10,}" + "".join(f"{share:>7.0%}" for share in found[name].values()), flush=True)
    draw(found, "order_matters.png")


if __name__ == "__main__":
    main()
