"""A hundred points of a sine with noise: read ten, say the eleventh.

A simple RNN and an LSTM learn the next point from the ten before it, on the first two thirds of the points, and are
then tried on the rest. The noise is uniform from -0.05 to 0.05 and cannot be known ahead: its standard deviation,
0.029, is the error of who knows the sine itself. Repeating the last point is the figure to beat.

    python examples/sine.py                    # seconds; draws sine.png
"""

import argparse

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ostinato
from ostinato.plots import picture, require_matplotlib

POINTS, WINDOW, NOISE = 100, 10, 0.05
TRAINED = 2 * POINTS // 3
MODELS = {"SimpleRNN": "rnn", "LSTM": "lstm"}


class NextPoint(nn.Module):
    """Reads a window, and says the next point."""

    def __init__(self, cell: str, hidden_size: int = 16) -> None:
        super().__init__()
        self.recurrent = ostinato.Recurrent(cell, 1, hidden_size)
        self.point = nn.Linear(hidden_size, 1)

    def forward(self, windows: Tensor) -> Tensor:
        """`[T, N, 1]` points -> `[N]` the points after them."""
        output, _ = self.recurrent(windows)
        return self.point(output[-1]).squeeze(-1)


def noisy_sine(seed: int = 0) -> tuple[Tensor, Tensor]:
    """The noisy points `[100]` of two and a half turns, and the sine beneath."""
    sine = torch.sin(torch.linspace(0, 5 * torch.pi, POINTS))
    noise = torch.empty(POINTS).uniform_(-NOISE, NOISE, generator=torch.Generator().manual_seed(seed))
    return sine + noise, sine


def windows(points: Tensor) -> tuple[Tensor, Tensor]:
    """Every ten points in a row `[T, N, 1]`, and the point after each ten `[N]`."""
    every = points.unfold(0, WINDOW + 1, 1).T
    return every[:-1].unsqueeze(-1), every[-1]


def learn(cell: str, points: Tensor, epochs: int, seed: int = 1) -> Tensor:
    """Train on the windows whose next point is among the first two thirds; the next points of all windows."""
    torch.manual_seed(seed)
    inputs, targets = windows(points)
    known = TRAINED - WINDOW
    model = NextPoint(cell)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        loss = F.mse_loss(model(inputs[:, :known]), targets[:known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return model(inputs)


def error(predicted: Tensor, points: Tensor) -> float:
    """Root of the mean squared error on the last third."""
    return F.mse_loss(predicted[TRAINED - WINDOW :], points[TRAINED:]).sqrt().item()


def draw(points: Tensor, predictions: dict[str, Tensor], file: str) -> None:
    """The predictions over the data."""
    steps = range(WINDOW, POINTS)
    with picture(file) as axes:
        axes.plot(points, "o", color="#999999", markersize=4, label="data")
        for name, predicted in predictions.items():
            axes.plot(steps, predicted, linewidth=1.6, label=f"{name}, error {error(predicted, points):.3f}")
        axes.axvline(TRAINED - 0.5, color="#666666", linestyle=":", linewidth=1)
        axes.annotate("not trained on", (TRAINED, 1.35), color="#666666")
        axes.set(title=f"A noisy sine, each point predicted from the {WINDOW} before", xlabel="point", ylim=(-1.2, 1.5))
        axes.legend(loc="lower left", fontsize=8)


def main() -> None:
    """Train both, say how far off they are, draw."""
    require_matplotlib()
    parser = argparse.ArgumentParser(description="The next point of a noisy sine")
    parser.add_argument("--epochs", type=int, default=400, help="passes over the windows")
    epochs = parser.parse_args().epochs
    points, _ = noisy_sine()
    print(f"{'':<12}error on the last third")
    print(f"{'last point':<12}{error(points[WINDOW - 1 : -1], points):.3f}")
    predictions = {name: learn(cell, points, epochs) for name, cell in MODELS.items()}
    for name, predicted in predictions.items():
        print(f"{name:<12}{error(predicted, points):.3f}")
    draw(points, predictions, "sine.png")


if __name__ == "__main__":
    main()
