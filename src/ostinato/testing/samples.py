"""Random tensors to check a cell with, the same every time, and comparison that says where two results differ."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato import kernels
from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.unroll import Unrolled, one_step
from ostinato.layers.recurrent import Recurrent


class Sample(NamedTuple):
    """All that a run over sequences takes.

    Attributes:
        cell: the configuration under check.
        p: its parameters, none of them at a special value such as the 1 of a gain.
        x: `[T, N, D]`.
        state: `[N, ...]` a field, not zero.
    """

    cell: Cell
    p: dict[str, Tensor]
    x: Tensor
    state: Any

    @classmethod
    def draw(cls, cell: Cell, steps: int = 5, batch: int = 3, dtype: torch.dtype = torch.float64) -> "Sample":
        """The same sample for the same arguments; torch's generator is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            p = {name: torch.empty(declared.shape) for name, declared in cell.parameters().items()}
            for name, declared in cell.parameters().items():
                declared.initialise(p[name], cell.hidden_size)
                p[name] = (p[name] + 0.2 * torch.randn(declared.shape)).to(dtype)
            x = torch.randn(batch, steps, cell.input_size).to(dtype).transpose(0, 1)  # strides of batch_first
            zeros = cell.initial_state(batch, x)
            return cls(cell, p, x, cell.State(*(field + 0.5 * torch.randn(field.shape).to(dtype) for field in zeros)))

    def leaves(self) -> "Sample":
        """Copies that collect gradients."""
        p = {name: tensor.detach().clone().requires_grad_() for name, tensor in self.p.items()}
        state = self.cell.State(*(field.detach().clone().requires_grad_() for field in self.state))
        return Sample(self.cell, p, self.x.detach().clone().requires_grad_(), state)

    def to(self, dtype: torch.dtype) -> "Sample":
        """In another dtype."""
        p = {name: tensor.to(dtype) for name, tensor in self.p.items()}
        return Sample(self.cell, p, self.x.to(dtype), self.cell.State(*(field.to(dtype) for field in self.state)))

    def tensors_by_name(self) -> dict[str, Tensor]:
        """Every tensor by name."""
        return {"x": self.x} | {f"initial {n}": f for n, f in zip(self.state._fields, self.state, strict=True)} | self.p

    def row(self, n: int, length: int) -> "Sample":
        """One sequence without its padding."""
        state = self.cell.State(*(field[n : n + 1] for field in self.state))
        return Sample(self.cell, self.p, self.x[:length, n : n + 1], state)

    def run(self, **kwargs: Any) -> Unrolled:
        """Over the sequences, by whichever implementation takes it."""
        return kernels.run(self.cell, self.p, self.x, self.state, **kwargs)

    def steps(self, reverse: bool = False) -> Unrolled:
        """Step by step, each projected alone: what a whole run has to equal."""
        T, state, found = self.x.shape[0], self.state, {}
        for t in reversed(range(T)) if reverse else range(T):
            output, state = one_step(self.cell, self.p, self.cell.project(self.p, self.x[t : t + 1])[0], state)
            found[t] = (output, state)
        states = [torch.stack(fields) for fields in zip(*(found[t][1] for t in range(T)), strict=True)]
        return Unrolled(torch.stack([found[t][0] for t in range(T)]), state, self.cell.State(*states))


def draw_noise(sample: Sample) -> StateNoise:
    """Recurrent dropout and zoneout of one half, the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return StateNoise.draw(sample.state, sample.x.shape[0], recurrent_dropout=0.5, zoneout=0.5, training=True)


def noise_row(noise: StateNoise | None, n: int, length: int) -> StateNoise | None:
    """The noise of one sequence."""
    if noise is None or noise.recurrent_mask is None or noise.zoneout is None:
        return None
    return StateNoise(noise.recurrent_mask[n : n + 1], [share[:length, n : n + 1] for share in noise.zoneout])


def weigh(run: Unrolled, *, states: bool = False) -> Tensor:
    """A scalar in which every number of output and final state has a weight of its own; and of every step's, if asked
    for and there."""
    fields = (run.output, *run.final, *((run.states or ()) if states else ()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return sum((field * torch.randn(field.shape).to(field)).sum() for field in fields)


def options_of(cell: Cell) -> dict[str, Any]:
    """What the configuration was made with, beyond sizes and bias."""
    given = inspect.signature(type(cell)).parameters.values()
    names = [parameter.name for parameter in given if parameter.kind is not parameter.VAR_KEYWORD]
    return {name: getattr(cell, name) for name in names if name not in ("input_size", "hidden_size", "bias")}


def layer_of(cell: Cell, seed: int = 1, **kwargs: Any) -> Recurrent:
    """A `Recurrent` of this configuration, its weights by the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Recurrent(cell, **kwargs)


def same(what: str, found: Tensor, expected: Tensor, tolerance: float = 1e-10) -> None:
    """Compare shape, dtype and numbers, the difference relative to the largest number expected (at least 1).

    Raises:
        AssertionError: says what differs, by how much and where.
    """
    assert found.shape == expected.shape, f"{what}: shape {tuple(found.shape)}, expected {tuple(expected.shape)}"
    assert found.dtype == expected.dtype, f"{what}: dtype {found.dtype}, expected {expected.dtype}"
    if found.numel() == 0:
        return
    found, expected = found.detach(), expected.detach()
    difference = (found - expected).abs().double()
    # NaN compares as larger than anything
    worst = difference.nan_to_num(nan=torch.inf, posinf=torch.inf).argmax()
    scale = max(1.0, float(expected.abs().max()))
    where = [int(i) for i in torch.unravel_index(worst, difference.shape)]
    assert float(difference.flatten()[worst]) <= tolerance * scale, (
        f"{what}: {float(found[tuple(where)]):.12g} at {where}, expected {float(expected[tuple(where)]):.12g} "
        f"(tolerance {tolerance:g} of {scale:.3g})"
    )


def same_run(what: str, found: Unrolled, expected: Unrolled, tolerance: float = 1e-10) -> None:
    """Compare output, final state, and the states of every step where both have them."""
    same(f"{what}: output", found.output, expected.output, tolerance)
    same_fields(f"{what}: final", found.final, expected.final, tolerance)
    if found.states is not None and expected.states is not None:
        same_fields(f"{what}: every step's", found.states, expected.states, tolerance)


def same_fields(what: str, found: Any, expected: Any, tolerance: float = 1e-10) -> None:
    """Compare two states."""
    for name, one, other in zip(expected._fields, found, expected, strict=True):
        same(f"{what} {name}", one, other, tolerance)


def gradients(loss: Tensor, by: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of a scalar, by name; zeros where nothing depends on the tensor."""
    found: Sequence[Tensor | None] = torch.autograd.grad(loss, list(by.values()), allow_unused=True)
    return {
        name: torch.zeros_like(tensor) if grad is None else grad
        for (name, tensor), grad in zip(by.items(), found, strict=True)
    }
