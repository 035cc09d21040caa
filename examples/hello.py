"""The smallest thing a recurrent network can do and a plain one cannot: spell "hello".

Given h, e, l, l the next letters are e, l, l, o. After the first l comes an l, after the second an o: the same input,
two answers. Whoever sees one letter at a time has to remember. An LSTM of four units does; a feed-forward net of the
same width, trained in the same way, cannot.

    python examples/hello.py        # where matplotlib is, draws hello.png
"""

import importlib.util

import torch
from torch import Tensor, nn

import ostinato
from ostinato.losses import sequence_cross_entropy
from ostinato.plots import picture

LETTERS = "helo"
INPUT, TARGET = "hell", "ello"


class Spelling(nn.Module):
    """Scores of the next letter at each step: four units, one for each letter.

    Args:
        recurrent: an LSTM, which remembers; otherwise a layer that sees only the letter at hand.
    """

    def __init__(self, recurrent: bool) -> None:
        super().__init__()
        self.layer: nn.Module = ostinato.LSTM(4, 4) if recurrent else nn.Sequential(nn.Linear(4, 4), nn.Tanh())

    def forward(self, letters: Tensor) -> Tensor:
        """`[T, N, 4]` one-hot letters -> `[T, N, 4]` scores."""
        output = self.layer(letters)
        return output[0] if isinstance(output, tuple) else output


class Scores:
    """What the loss asks of a model's output."""

    def __init__(self, scores: Tensor) -> None:
        self.scores = scores

    def logits(self) -> Tensor:
        """The scores themselves."""
        return self.scores


def spell(recurrent: bool, iterations: int = 1000, seed: int = 0) -> tuple[str, float, list[float]]:
    """Train, and return what the model spells, its last loss in nats a letter, and the loss at every iteration."""
    torch.manual_seed(seed)
    ids = torch.tensor([LETTERS.index(letter) for letter in INPUT]).unsqueeze(1)  # [T, N]
    letters = nn.functional.one_hot(ids, 4).float()
    targets = torch.tensor([LETTERS.index(letter) for letter in TARGET]).unsqueeze(1)
    batch = ostinato.Batch(letters, targets, weights=torch.ones(4, 1))  # every letter counts the same
    model = Spelling(recurrent)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(iterations):
        loss = sequence_cross_entropy(Scores(model(batch.inputs)), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    guess = model(letters).argmax(-1)[:, 0]
    return "".join(LETTERS[index] for index in guess), losses[-1], losses


def draw(courses: dict[str, list[float]], file: str) -> None:
    """The losses while both learn."""
    with picture(file) as axes:
        for name, losses in courses.items():
            axes.plot(losses, label=name)
        axes.set(title='Spelling "hello"', xlabel="updates", ylabel="loss, nats a letter", ylim=0)
        axes.legend()


def main() -> None:
    """Train both, say what they spell, draw how they learnt it."""
    print(f"{'model':<14}{'after h, e, l, l':<18}loss in nats a letter")
    courses = {}
    for name, recurrent in (("LSTM", True), ("feed-forward", False)):
        spelt, loss, courses[f"{name}: {' '.join(spelt)}"] = spell(recurrent)
        print(f"{name:<14}{' '.join(spelt):<18}{loss:.3f}")
    print("\nThe feed-forward net sees the same l twice and must answer the same twice.")
    if importlib.util.find_spec("matplotlib"):
        draw(courses, "hello.png")


if __name__ == "__main__":
    main()
