"""The loop over the cell's `step`: what a cell costs that nobody has a kernel for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ostinato.bench.problem import Problem, Results, results_by_name


class Loop:
    """`cells.unroll` in eager PyTorch."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        wanted = problem.training
        parameters = problem.layer.named_parameters()
        self._p = {name: p.detach().clone().requires_grad_(wanted) for name, p in parameters}
        self._x = problem.x.clone().requires_grad_(wanted)

    @contextmanager
    def within(self) -> Iterator[None]:
        """Gradients or none."""
        with torch.set_grad_enabled(self._problem.training):
            yield

    def run(self) -> Any:
        """Forward, and backward where gradients are wanted."""
        for leaf in (self._x, *self._p.values()):
            leaf.grad = None
        output, final = self._problem.unrolled(self._p, self._x)
        if self._problem.training:
            output.backward(self._problem.upstream)  # type: ignore[no-untyped-call]
        return output, final

    def results(self) -> Results:
        """Output, final state, all gradients."""
        with self.within():
            torch.manual_seed(2)
            output, final = self.run()
        leaves = {"x": self._x, **self._p}
        found = results_by_name(self._problem.cell, output, final)
        return found | {f"grad {name}": leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
