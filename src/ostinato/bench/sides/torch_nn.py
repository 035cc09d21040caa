"""torch.nn's layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ostinato.bench.problem import Problem, Results, results_by_name
from ostinato.cells import form
from ostinato.core.lengths import valid_steps
from ostinato.core.registry import lookup


def layer_of_torch(cell: str) -> Callable[..., torch.nn.RNNBase] | None:
    """What makes torch.nn's layer with the equations of a cell; None where there is none."""
    name, _, nonlinearity = form.torch_mode(lookup(cell)).partition("_")
    kind: Callable[..., torch.nn.RNNBase] | None = getattr(torch.nn, name, None)
    return partial(kind, nonlinearity=nonlinearity.lower()) if kind and nonlinearity else kind


class TorchNN:
    """torch.nn's layer of the same cell, eagerly; sequences of different length as a PackedSequence.

    Args:
        problem: what to do.
        packed: with lengths, pack and unpack; otherwise run the padded batch, padding and all.
        dtype: of layer and input.
    """

    def __init__(self, problem: Problem, *, packed: bool = True, dtype: str = "float32") -> None:
        self._problem = problem
        kind = getattr(torch, dtype)
        make = layer_of_torch(problem.group.cell)
        assert make is not None
        self._layer = make(problem.row.D, problem.row.H)
        self._layer.load_state_dict(problem.layer.state_dict())
        self._layer.to(kind)
        self._x = problem.x.to(kind, copy=True).requires_grad_(problem.training)
        self._upstream = problem.upstream.to(kind)
        self._lengths = problem.lengths if packed else None

    @contextmanager
    def within(self) -> Iterator[None]:
        """Gradients or none."""
        with torch.set_grad_enabled(self._problem.training):
            yield

    def run(self) -> Any:
        """Forward, and backward where gradients are wanted."""
        for p in self._layer.parameters():
            p.grad = None
        self._x.grad = None
        output, final = self._forward()
        if self._problem.training:
            output.backward(self._upstream)  # type: ignore[no-untyped-call]
        return output, final

    def _forward(self) -> tuple[Tensor, Any]:
        if self._lengths is None:
            output, final = self._layer(self._x)
            return output, final
        packed = pack_padded_sequence(self._x, self._lengths, enforce_sorted=False)
        output, final = self._layer(packed)
        return pad_packed_sequence(output, total_length=self._x.shape[0])[0], final

    def results(self) -> Results:
        """Output, final state, all gradients; of a padded batch the output within the lengths, and no final state."""
        with self.within():
            output, final = self.run()
        if self._problem.lengths is not None and self._lengths is None:
            valid = valid_steps(self._problem.lengths, output.shape[0])
            found = {"output": output.detach() * valid.unsqueeze(-1)}
        else:
            found = results_by_name(self._problem.cell, output, final if isinstance(final, tuple) else (final,))
        leaves = {"x": self._x, **dict(self._layer.named_parameters())}
        return found | {f"grad {name}": leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
