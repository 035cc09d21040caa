"""The layer of this package."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ostinato.bench.precision import precision
from ostinato.bench.problem import Problem, Results, results_by_name


class Ours:
    """The layer as a program uses it: parameters and input that want gradients, `backward` on the output."""

    def __init__(self, problem: Problem) -> None:
        dtype = getattr(torch, problem.group.dtype)
        self._problem = problem
        self._layer = copy.deepcopy(problem.layer).to(dtype)
        self._x = problem.x.to(dtype, copy=True).requires_grad_(problem.training)
        self._upstream = problem.upstream.to(dtype)

    @contextmanager
    def within(self) -> Iterator[None]:
        """The precision of products; gradients where they are wanted."""
        with precision(self._problem.group.precision), torch.set_grad_enabled(self._problem.training):
            yield

    def run(self) -> Any:
        """Forward, and backward where gradients are wanted."""
        for p in self._layer.parameters():
            p.grad = None
        self._x.grad = None
        ran = self._layer(self._x, lengths=self._problem.lengths)
        if self._problem.training:
            ran[0].backward(self._upstream)
        return ran

    def results(self) -> Results:
        """Output, final state, all gradients."""
        torch.manual_seed(2)
        with self.within():
            output, final = self.run()
        state = final if isinstance(final, tuple) else (final,)
        found = results_by_name(self._problem.cell, output, state)
        leaves = {"x": self._x, **dict(self._layer.named_parameters())}
        return found | {f"grad {name}": leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
