"""What runs in eager PyTorch: the layer of this package, torch.nn's, and the loop over the cell's `step`."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ostinato.api.compute import compute_settings
from ostinato.bench.problem import Problem, Results, results_by_name
from ostinato.bench.sides.side import LeftOutError
from ostinato.cells import form
from ostinato.cells.unroll import Unrolled
from ostinato.core.lengths import valid_steps
from ostinato.core.registry import lookup
from ostinato.kernels.dispatch import Implementation
from ostinato.kernels.request import Request

Forward = Callable[[Tensor], tuple[Tensor, Any]]


class Eager:
    """Forward and, where gradients are wanted, `backward` on the output, as a program has them.

    Args:
        problem: what to do.
        parameters: by name, those that want gradients where the problem does.
        forward: from the input to output and final state, or None in its place where padding was run too or the side
            has another.
        dtype: of the input.
        precision: of products.
    """

    def __init__(
        self,
        problem: Problem,
        parameters: Mapping[str, Tensor],
        forward: Forward,
        dtype: torch.dtype = torch.float32,
        precision: str = "highest",
    ) -> None:
        self.forward, self.parameters = forward, parameters
        self._problem, self._precision = problem, precision
        self._leaves = {"x": problem.x.to(dtype, copy=True).requires_grad_(problem.training), **parameters}
        self._upstream = problem.upstream.to(dtype)

    @contextmanager
    def within(self) -> Iterator[None]:
        """The precision of products; gradients where they are wanted."""
        with compute_settings(0, self._precision), torch.set_grad_enabled(self._problem.training):
            yield

    def run(self) -> tuple[Tensor, Any]:
        """Forward, and backward where gradients are wanted."""
        for leaf in self._leaves.values():
            leaf.grad = None
        output, final = self.forward(self._leaves["x"])
        if self._problem.training:
            output.backward(self._upstream)  # type: ignore[no-untyped-call]
        return output, final

    def results(self) -> Results:
        """Output, final state where there is one, all gradients; of a padded batch the output within the lengths."""
        torch.manual_seed(2)
        with self.within():
            output, final = self.run()
        if final is not None:
            found = results_by_name(self._problem.cell, output, final)
        else:
            lengths = self._problem.lengths
            valid = 1 if lengths is None else valid_steps(lengths, output.shape[0]).unsqueeze(-1)
            found = {"output": output.detach() * valid}
        return found | {f"grad {name}": leaf.grad for name, leaf in self._leaves.items() if leaf.grad is not None}


def ours(problem: Problem) -> Eager:
    """The layer of this package as a program uses it."""
    group = problem.group
    dtype = getattr(torch, group.dtype)
    layer = copy.deepcopy(problem.layer).to(dtype)
    forward = partial(layer, lengths=problem.lengths)
    return Eager(problem, dict(layer.named_parameters()), forward, dtype, group.precision)


def by(problem: Problem, implementation: Implementation) -> Eager:
    """The cell by one of this package's implementations, called without a layer around it.

    Raises:
        LeftOutError: it does not run this.
    """
    if why := implementation.refuses(problem.cell, Request(torch.float32, "cpu", problem.row.T)):
        raise LeftOutError(why)
    return bare(problem, implementation.run)


def bare(problem: Problem, run: Callable[..., Unrolled]) -> Eager:
    """The cell by a function in place of `unroll`."""
    leaves = {name: p.detach().clone().requires_grad_(problem.training) for name, p in problem.layer.named_parameters()}
    p = {name.removesuffix("_l0"): leaf for name, leaf in leaves.items()}
    start = problem.cell.initial_state(problem.row.N, problem.x)

    def forward(x: Tensor) -> tuple[Tensor, Any]:
        ran = run(problem.cell, p, x, start)
        return ran.output, tuple(ran.final)

    return Eager(problem, leaves, forward)


def loop(problem: Problem, dtype: torch.dtype = torch.float32) -> Eager:
    """`cells.unroll`: what a cell costs that nobody has a kernel for, and in float64 what all are measured against."""
    parameters = problem.layer.named_parameters()
    p = {name: each.detach().to(dtype, copy=True).requires_grad_(problem.training) for name, each in parameters}
    return Eager(problem, p, partial(problem.unrolled, p), dtype)


def torch_nn(problem: Problem, *, packed: bool = True, dtype: torch.dtype = torch.float32) -> Eager:
    """torch.nn's layer of the same cell; sequences of different length as a PackedSequence.

    Args:
        problem: what to do.
        packed: with lengths, pack and unpack; otherwise run the padded batch, padding and all.
        dtype: of layer and input.
    """
    make = layer_of_torch(problem.group.cell)
    assert make is not None
    layer = make(problem.row.D, problem.row.H)
    layer.load_state_dict(problem.layer.state_dict())
    layer.to(dtype)

    def unpacked(lengths: Tensor, x: Tensor) -> tuple[Tensor, Any]:
        output, final = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
        return pad_packed_sequence(output, total_length=x.shape[0])[0], final

    def padded(x: Tensor) -> tuple[Tensor, Any]:
        return layer(x)[0], None

    lengths = problem.lengths
    forward = layer if lengths is None else partial(unpacked, lengths) if packed else padded
    return Eager(problem, dict(layer.named_parameters()), forward, dtype)


def layer_of_torch(cell: str) -> Callable[..., torch.nn.RNNBase] | None:
    """What makes torch.nn's layer with the equations of a cell; None where there is none."""
    name, _, nonlinearity = form.torch_mode(lookup(cell)).partition("_")
    kind: Callable[..., torch.nn.RNNBase] | None = getattr(torch.nn, name, None)
    return partial(kind, nonlinearity=nonlinearity.lower()) if kind and nonlinearity else kind
