"""The numbers that every side of a comparison computes from, and what they should make of them."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ostinato.bench.groups import Group, Row
from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.unroll import unroll
from ostinato.compiler.trace import trace
from ostinato.compiler.tracer import CannotCompileError
from ostinato.core.lengths import valid_steps
from ostinato.layers.recurrent import Recurrent

#: Operations of a traced cell that may have a kink.
KINKS = frozenset({"smaller", "larger", "less", "less_equal", "equal", "where", "abs", "sign"})
#: Steps that a stream is checked over.
STREAMED = 20

#: By name: "output", "final h", "grad x", "grad weight_ih_l0", ...
Results = dict[str, Tensor]


@dataclass(frozen=True)
class Problem:
    """One row of a group, in float32.

    Attributes:
        group: what is to be done.
        row: with which sizes.
        layer: holds the weights, under torch.nn's names.
        x: `[T, N, D]`; of a stream `[STREAMED, N, D]`, the steps to take one after the other.
        upstream: gradient by the output, `[T, N, H]`, zero beyond the lengths.
        lengths: `[N]` or None.
    """

    group: Group
    row: Row
    layer: Recurrent
    x: Tensor
    upstream: Tensor
    lengths: Tensor | None

    @classmethod
    def make(cls, group: Group, row: Row) -> "Problem":
        """Always the same numbers for the same group and row."""
        torch.manual_seed(1)
        N, T, D, H = row
        layer = Recurrent(group.cell, D, H, **group.options)
        T = STREAMED if group.work == "step" else T
        lengths = torch.randint(1, T + 1, (N,)) if group.ragged else None
        upstream = torch.randn(T, N, layer.output_size)
        if lengths is not None:
            upstream *= valid_steps(lengths, T).unsqueeze(-1)
        return cls(group, row, layer, torch.randn(T, N, D), upstream, lengths)

    @property
    def cell(self) -> Cell:
        """The cell of the layer."""
        return self.layer.cell

    @property
    def training(self) -> bool:
        """Whether gradients are wanted."""
        return self.group.work == "training"

    @cached_property
    def has_kinks(self) -> bool:
        """Whether the cell may be no smooth function, such as one with a ReLU: its gradient jumps, and two precisions
        that round a number to either side of the place differ."""
        try:
            return bool({node.op for node in trace(self.cell).graph.nodes} & KINKS)
        except CannotCompileError:
            return False

    @property
    def flops(self) -> float:
        """Multiplications and additions of the products with the weights: three times as many with the gradients."""
        steps = 1 if self.group.work == "step" else self.row.T
        cells = float(self.row.N * steps if self.lengths is None else self.lengths.sum())
        weights = sum(p.numel() for name, p in self.layer.named_parameters() if name.startswith("weight"))
        return 2 * cells * weights * (3 if self.training else 1)

    def unrolled(self, p: dict[str, Tensor], x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Output and final state by the loop, from weights under the layer's names; draws its noise as a layer does."""
        start = self.cell.initial_state(x.shape[1], x)
        noise = StateNoise.draw(
            self.cell.initial_state(x.shape[1], self.x),
            x.shape[0],
            recurrent_dropout=self.layer.recurrent_dropout,
            zoneout=self.layer.zoneout,
            training=True,
        )
        if noise.zoneout is not None:
            noise = StateNoise(noise.recurrent_mask, [share.to(x.dtype) for share in noise.zoneout])
        bare = {name.removesuffix("_l0"): tensor for name, tensor in p.items()}
        ran = unroll(self.cell, bare, x, start, lengths=self.lengths, noise=noise)
        return ran.output, ran.final


def results_by_name(cell: Cell, output: Tensor, final: Tensor | tuple[Tensor, ...]) -> Results:
    """Output and final state under their names, without a layer's first dimension."""
    fields = zip(cell.State._fields, final if isinstance(final, tuple) else (final,), strict=True)
    return {"output": output.detach(), **{f"final {n}": f.detach().reshape(-1, f.shape[-1]) for n, f in fields}}


def errors(found: Results, reference: Results, of_gradients: float = 1.0) -> dict[str, float]:
    """Largest difference over the largest number of the reference, for each name that both have.

    Args:
        found: of a side.
        reference: in float64.
        of_gradients: the share of a gradient's numbers that count, those with the smallest differences.
    """
    made = {}
    for name, expected in reference.items():
        if name in found:
            off = (found[name].double() - expected.double()).abs().flatten()
            count = max(1, int(of_gradients * len(off))) if name.startswith("grad") else len(off)
            largest = off.max() if count == len(off) or off.isnan().any() else off.kthvalue(count).values
            made[name] = float(largest / expected.abs().max().clamp_min(1e-30))
    return made
