"""Why gradients explode and vanish on their way back through time, what gates change, and what clipping does.

Three pictures, as PNG and SVG:

- explosion: a gradient times the same matrix, once a step. Its spectral radius decides (Saitoh, Deep Learning from
  Scratch 2, chapter 6).
- flow: the gradient of the last output by the state at each step before, in an Elman network, a GRU and LSTMs of
  the same size, untrained.
- clipping: training a network whose gradient explodes, with clipping and without.

    python examples/gradient_flow.py
"""

import argparse
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ostinato
from ostinato.inspection import gradient_flow, repeated_product, scaled_to, spectral_radius
from ostinato.plots import Course, gradient_courses, norms_over_steps, picture_files

STEPS, UNITS = 100, 64
#: Cells, and what each starts with.
CELLS: dict[str, tuple[str, dict[str, float]]] = {
    "RNN": ("rnn", {}),
    "GRU": ("gru", {}),
    "LSTM": ("lstm", {}),
    "LSTM, forget bias 3": ("lstm", {"forget_bias": 3.0}),
}


def explosion(steps: int = 20) -> dict[str, np.ndarray]:
    """Norms of a gradient that goes back through a linear recurrence, after each step."""
    weight = np.random.RandomState(3).randn(3, 3)
    lines = {}
    for matrix in (weight, weight / 2, scaled_to(weight, 1.0)):
        label = f"spectral radius {spectral_radius(matrix):.2f}"
        lines[label] = repeated_product(matrix.T, np.ones((2, 3)), steps)
        print(f"{label}: from {lines[label][0]:.3g} to {lines[label][-1]:.3g} in {steps} steps")
    return lines


def side_by_side() -> list[Course]:
    """The gradient of the last output by every state before it."""
    courses = []
    for index, (label, (cell, options)) in enumerate(CELLS.items()):
        torch.manual_seed(0)
        layer = ostinato.Recurrent(cell, 16, UNITS, dtype=torch.float64, **options)
        x = torch.randn(STEPS, 8, 16, dtype=torch.float64)
        (flow,) = gradient_flow(layer, lambda output: output[0][-1].sum(), x)
        first, last = (float(np.median(flow.norms["h"][t])) for t in (0, -1))
        radii = ", ".join(f"{gate} {radius:.2f}" for gate, radius in flow.radii.items())
        print(f"{label:<20} {STEPS} steps back {first / last:.1e} of the gradient is left; spectral radius {radii}")
        courses.append(Course(f"{label}\n  spectral radius {radii}", flow.norms, index, index))
    return courses


class Mean(nn.Module):
    """Rectified units that are asked for the mean of what they read; a recurrence that makes gradients explode."""

    def __init__(self, radius: float) -> None:
        super().__init__()
        self.recurrent = ostinato.Recurrent("rnn_relu", 1, 32)
        self.answer = nn.Linear(32, 1)
        weight = self.recurrent.get_parameter("weight_hh_l0")
        weight.data *= radius / spectral_radius(weight)

    def forward(self, x: Tensor) -> Tensor:
        """`[T, N, 1]` -> `[N]`."""
        return self.answer(self.recurrent(x)[0][-1]).squeeze(-1)


def train(clip: float | None, updates: int, radius: float = 2.5) -> np.ndarray:
    """Gradient norms before clipping, an update each, for as long as they are numbers."""
    torch.manual_seed(0)
    model = Mean(radius)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    norms = []
    for _ in range(updates):
        x = torch.rand(20, 32, 1)
        loss = F.mse_loss(model(x), x.mean((0, 2)))
        optimizer.zero_grad()
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), clip or math.inf))
        if not math.isfinite(norm):
            break
        norms.append(norm)
        optimizer.step()
    how = "clipped at 1" if clip else "not clipped"
    print(f"{how}: {len(norms)} of {updates} updates with a finite gradient, last loss {loss.item():.4g}")
    return np.array(norms)


def main() -> None:
    """Draw all three."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--updates", type=int, default=1000, help="of the weights, with and without clipping")
    options = parser.parse_args()
    norms_over_steps(explosion(), picture_files("explosion"), title="dh times W_hh at every step back")
    title = f"The gradient of the last output, {STEPS} steps back"
    gradient_courses(side_by_side(), picture_files("flow"), title=title)
    lines = {"clipped at 1": train(1.0, options.updates), "not clipped": train(None, options.updates)}
    title = "Gradient norm before clipping, spectral radius 2.5"
    norms_over_steps(lines, picture_files("clipping"), title=title, xlabel="update")


if __name__ == "__main__":
    main()
