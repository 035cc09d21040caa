"""Layers of other packages that have a cell's equations, with this package's weights."""

import contextlib
import io
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.bench.problem import Problem, Results
from ostinato.bench.sides.eager import Eager
from ostinato.bench.sides.side import LeftOutError
from ostinato.core.registry import lookup

#: Steps of a training by a peer whose time grows by their square.
LONGEST = 1000


class Layer(NamedTuple):
    """One of torchrecurrent's.

    Attributes:
        name: its class.
        parts: of a parameter there, those here that it consists of, where the names differ.
        options: of the class.
        values: of parameters that this package lacks; 0 where nothing is said.
    """

    name: str
    parts: Mapping[str, tuple[str, ...]] = {}
    options: Mapping[str, Any] = {}
    values: Mapping[str, float] = {}


#: By this package's names. A cell from elsewhere says it itself: `torchrecurrent = "NAME"`, or a `Layer`.
TORCHRECURRENT = {
    "fast_grnn": Layer("FastGRNN", options={"nonlinearity": "sigmoid"}),
    "fast_rnn": Layer("FastRNN"),
    "indrnn": Layer("IndRNN", {"vector_u": ("weight_unit",)}, {"nonlinearity": "relu"}),
    "janet": Layer("JANET", values={"beta": 1.0}),
    "lstm_peephole": Layer("PeepholeLSTM", {"weight_ph": ("weight_ci", "weight_cf", "weight_co")}),
    "mgu": Layer("MGU"),
    "multiplicative_lstm": Layer("MultiplicativeLSTM"),
    "ugrnn": Layer("UGRNN"),
}


def layer_of_torchrecurrent(cell: str) -> Layer | None:
    """Its layer with a cell's equations; None where it is not known to have one."""
    declared = getattr(lookup(cell), "torchrecurrent", None)
    return Layer(declared) if isinstance(declared, str) else declared or TORCHRECURRENT.get(cell)


class TorchRecurrent(Eager):
    """Its own layer: a loop in Python over its own cell."""

    def __init__(self, problem: Problem) -> None:
        _not_too_long(problem)
        found = layer_of_torchrecurrent(problem.group.cell)
        assert found is not None
        make = getattr(import_module("torchrecurrent"), found.name)
        layer = make(problem.row.D, problem.row.H, **found.options)
        weights = _weights(problem)
        theirs = {name.removeprefix("cells.0."): p for name, p in layer.named_parameters()}
        self._parts = {name: found.parts.get(name, (name,)) for name in theirs}
        with torch.no_grad():
            for name, parameter in theirs.items():
                given = [weights[part] for part in self._parts[name] if part in weights]
                value = found.values.get(name, 0.0)
                parameter.copy_(torch.cat(given).view_as(parameter) if given else torch.full_like(parameter, value))
        super().__init__(problem, theirs, lambda x: (layer(x)[0], None))
        self._ours = weights

    def results(self) -> Results:
        """Under this package's names."""
        found = super().results()
        translated: Results = {}
        for name, parts in self._parts.items():
            if (grad := found.pop(f"grad {name}", None)) is not None and all(part in self._ours for part in parts):
                pieces = torch.split(grad.flatten(), [self._ours[part].numel() for part in parts])
                translated |= {f"grad {p}_l0": g.view_as(self._ours[p]) for p, g in zip(parts, pieces, strict=True)}
        return found | translated


class Sru(Eager):
    """The authors' package: its C++ kernel, which has no way back; where gradients are wanted, its loop in Python."""

    def __init__(self, problem: Problem) -> None:
        _not_too_long(problem)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            cell = import_module("sru").SRUCell(problem.row.D, problem.row.H)
        weights, H = _weights(problem), problem.row.H
        self._shape = weights["weight_ih"].shape
        with torch.no_grad():
            cell.weight.copy_(weights["weight_ih"].view(-1, H, problem.row.D).permute(2, 1, 0).reshape_as(cell.weight))
            cell.weight_c.copy_(torch.cat([weights["weight_f"], weights["weight_r"]]))
            cell.bias.copy_(weights["bias_ih"])
            cell.scale_x.fill_(math.sqrt(3))
        super().__init__(problem, dict(cell.named_parameters()), cell)

    @contextmanager
    def within(self) -> Iterator[None]:
        """Without its warning that this is slow."""
        with super().within(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def results(self) -> Results:
        """Under this package's names."""
        found = super().results()
        if "grad weight" not in found:
            return found
        weight, units, bias = (found.pop(f"grad {name}") for name in ("weight", "weight_c", "bias"))
        forget, reset = units.chunk(2)
        by_rows = weight.view(len(weight), len(forget), -1).permute(2, 1, 0).reshape(self._shape)
        gradients = {"weight_ih": by_rows, "weight_f": forget, "weight_r": reset, "bias_ih": bias}
        return found | {f"grad {name}_l0": grad for name, grad in gradients.items()}


#: What flashrnn calls a cell, and where the blocks of its input and recurrent parts stand in this package's gates. Its
#: sLSTM is another: the normaliser stays above 1.
FLASHRNN: Mapping[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
    "rnn": ("elman", (0,), (0,)),
    "lstm": ("lstm", (0, 1, 2, 3), (0, 1, 2, 3)),
    "gru": ("gru", (0, 1, 2), (2, 0, 1)),
}


def flashrnn(problem: Problem) -> Eager:
    """Its backend without a GPU, `vanilla`: a loop in PyTorch with one product a step."""
    _not_too_long(problem)
    run = import_module("flashrnn").flashrnn
    function, by_input, by_state = FLASHRNN[problem.group.cell]
    N, H = problem.row.N, problem.row.H
    leaves = {name: p.detach().clone().requires_grad_(problem.training) for name, p in problem.layer.named_parameters()}

    def blocks(tensor: Tensor, order: tuple[int, ...]) -> Tensor:
        gates = tensor.view(-1, H, *tensor.shape[1:])
        return gates if order == tuple(range(len(gates))) else gates[list(order)]

    def forward(x: Tensor) -> tuple[Tensor, Any]:
        product = F.linear(x, leaves["weight_ih_l0"]).view(*x.shape[:2], -1, 1, H).transpose(0, 1)
        R = blocks(leaves["weight_hh_l0"], by_state).unsqueeze(1)
        by_x, by_h = leaves["bias_ih_l0"].view(-1, H), blocks(leaves["bias_hh_l0"], by_state)
        bias = by_x + by_h if by_input == by_state else _with_two(by_x, by_h)
        states, _ = run(product, R, bias.unsqueeze(1), function=function, backend="vanilla", dtype="float32")
        return states[0].reshape(N, -1, H).transpose(0, 1), None

    return Eager(problem, leaves, forward)


def _not_too_long(problem: Problem) -> None:
    """Loops that take a step by indexing, or write it into one tensor of all, go back through the whole at every step.

    Raises:
        LeftOutError: where that takes minutes.
    """
    if problem.training and problem.row.T > LONGEST:
        raise LeftOutError(f"its way back takes time by the square of the steps; measured up to {LONGEST}")


def _with_two(by_x: Tensor, by_h: Tensor) -> Tensor:
    """Biases of gates of which the candidate has two: the one inside first, the one outside last."""
    return torch.cat([by_h[:1], by_x[:2] + by_h[1:], by_x[2:]])


def _weights(problem: Problem) -> dict[str, Tensor]:
    """Those of the layer, by the cell's names."""
    return {name.removesuffix("_l0"): p.detach() for name, p in problem.layer.named_parameters()}
