"""Plain PyTorch: the training step, evaluation and generation that a program of its own would have."""

import itertools
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.api.compute import compute_settings
from ostinato.bench.language.plain_torch import PlainLanguageModel
from ostinato.bench.language.problem import WRITTEN, Problem
from ostinato.bench.problem import Results
from ostinato.core.batch import Batch
from ostinato.optim import torchs_optimizer

#: Rows of scores that the reference makes at a time.
_ROWS = 64


class _Torch:
    #: Products in float32, but for what autocast makes bfloat16.
    within = staticmethod(partial(compute_settings, 0, "highest"))

    def __init__(self, problem: Problem, *, autocast: bool = False) -> None:
        self.problem, self._autocast = problem, autocast
        self.model = plain(problem)

    def cast(self) -> AbstractContextManager[Any]:
        """Around forward, as torch's guide on autocast has it."""
        return torch.autocast("cpu", torch.bfloat16) if self._autocast else nullcontext()


class TorchTraining(_Torch):
    """Forward, cross-entropy of all scores, backward, `clip_grad_norm_`, and torch's fused optimiser.

    Args:
        problem: what to train.
        autocast: forward under autocast to bfloat16.
        chunked: by torch's own linear_cross_entropy, which makes some scores at a time, and their gradients with them.
    """

    def __init__(self, problem: Problem, *, autocast: bool = False, chunked: bool = False) -> None:
        super().__init__(problem, autocast=autocast)
        self._chunked = chunked
        training = problem.options.training
        groups = [
            {"params": [p for p in self.model.parameters() if (p.dim() > 1) == matrices], "weight_decay": decay}
            for matrices, decay in ((True, training.weight_decay), (False, 0.0))
        ]
        self._optimizer = torchs_optimizer(training.optimizer, groups, lr=training.lr, fused=True)
        self._clip, self._state = training.clip, None
        self._batches = itertools.cycle(problem.batches)

    def run(self) -> object:
        """A training step; the state goes on, detached."""
        loss, objective, self._state = self._forward(next(self._batches), self._state)
        self._optimizer.zero_grad()
        objective.backward()  # type: ignore[no-untyped-call]
        if self._clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._clip)
        self._optimizer.step()
        return loss.item()

    def _forward(self, batch: Batch, state: Any) -> tuple[Tensor, Tensor, Any]:
        with self.cast():
            raw, hidden, state = self.model(batch.inputs, state)
            rows, targets, decoder = hidden.flatten(0, 1), batch.targets.flatten(), self.model.decoder
            if self._chunked:
                how: Any = {"linear_bias": decoder.bias, "options": torch.nn.LinearCrossEntropyOptions()}
                loss = F.linear_cross_entropy(rows, decoder.weight, targets, **how)
            else:
                loss = F.cross_entropy(decoder(rows), targets)
            objective = loss + penalty(self.problem, raw, hidden)
        return loss, objective, [detached(own) for own in state]

    def results(self) -> Results:
        """Loss and gradients of the first piece, without dropout."""
        side = TorchTraining(self.problem, autocast=self._autocast, chunked=self._chunked)
        side.model.eval()
        batch = side.problem.batches[0]
        loss, objective, _ = side._forward(batch, None)
        objective.backward()  # type: ignore[no-untyped-call]
        return {"output": loss.detach()} | gradients(side.model)


def reference(problem: Problem) -> Results:
    """What `TorchTraining.results` would be in float64, the scores made a few rows at a time to spare memory."""
    model, batch = plain(problem).double().eval(), problem.batches[0]
    raw, hidden, _ = model(batch.inputs)
    rows = hidden.flatten(0, 1).detach().requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    for begin in range(0, len(rows), _ROWS):
        scores = model.decoder(rows[begin : begin + _ROWS])
        part = F.cross_entropy(scores, batch.targets.flatten()[begin : begin + _ROWS], reduction="sum") / len(rows)
        part.backward()  # type: ignore[no-untyped-call]
        total += part.detach()
    assert rows.grad is not None
    below = (hidden * rows.grad.view_as(hidden)).sum()  # its gradient by hidden is that of the loss
    (below + penalty(problem, raw, hidden)).backward()
    return {"output": total} | gradients(model)


class TorchEvaluation(_Torch):
    """Scores and cross-entropy of piece after piece, without gradients."""

    def run(self) -> float:
        """Mean loss of one stream."""
        self.model.eval()
        total, tokens, state = 0.0, 0, None
        with torch.inference_mode():
            for batch in self.problem.one_stream:
                with self.cast():
                    _, hidden, state = self.model(batch.inputs, state)
                    scores = self.model.decoder(hidden).flatten(0, 1)
                    total += F.cross_entropy(scores, batch.targets.flatten(), reduction="sum").item()
                tokens += batch.tokens
        return total / tokens

    def results(self) -> Results:
        """The mean loss."""
        with self.within():
            return {"output": torch.tensor(self.run(), dtype=torch.float64)}


class TorchGeneration(_Torch):
    """A loop over torch.nn's layers, a token each time round."""

    def run(self) -> object:
        """Write on, drawing from the softmax."""
        numbers = iter(torch.rand(WRITTEN, generator=torch.Generator().manual_seed(1)).tolist())

        def draw(scores: Tensor) -> Tensor:  # as this package does: multinomial would take longer than the model
            below = scores.softmax(0).cumsum(0)
            return torch.searchsorted(below, below[-1:] * next(numbers))

        return self._write(draw)

    def results(self) -> Results:
        """The most probable tokens, one after the other."""
        with self.within():
            return {"output": torch.tensor(self._write(lambda scores: scores.argmax(0, keepdim=True)))}

    def _write(self, choose: Any) -> list[int]:
        self.model.eval()
        written: list[int] = []
        with torch.inference_mode():
            inputs, state = torch.tensor(self.problem.prompt).unsqueeze(1), None
            while len(written) < WRITTEN:
                hidden, state = self._read(inputs, state)
                inputs = choose(self.model.decoder(hidden)).unsqueeze(0)
                written.append(int(inputs))
        return written

    def _read(self, words: Tensor, state: Any) -> tuple[Tensor, Any]:
        """`[T, 1]` words -> the last output `[E]`, and the state."""
        _, hidden, state = self.model(words, state)
        return hidden[-1, 0], state


class TorchCellGeneration(TorchGeneration):
    """The same loop over torch.nn's cells, which have less around a step than its layers."""

    _CELLS: ClassVar[dict[type[nn.Module], Any]] = {nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell, nn.RNN: nn.RNNCell}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._cells = [
            self._cell(layer, index) for layer in self.model.layers for index in range(cast(int, layer.num_layers))
        ]

    def _cell(self, layer: nn.Module, index: int) -> nn.Module:
        own = {name: getattr(layer, f"{name}_l{index}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        cell: nn.Module = self._CELLS[type(layer)](own["weight_ih"].shape[1], own["weight_hh"].shape[1])
        cell.load_state_dict(own)
        return cell

    def _read(self, words: Tensor, state: Any) -> tuple[Tensor, Any]:
        state = state or [None] * len(self._cells)
        for word in words:
            x, after = self.model.embedding(word), []
            for cell, own in zip(self._cells, state, strict=True):
                after.append(cell(x, own))
                x = after[-1][0] if isinstance(after[-1], tuple) else after[-1]
            state = after
        return x[0], state


def plain(problem: Problem) -> PlainLanguageModel:
    """A model of torch.nn with the problem's weights."""
    model = PlainLanguageModel(problem.sizes)
    model.load(problem.model.state_dict())
    return model


def gradients(model: PlainLanguageModel) -> Results:
    """By this package's names."""
    return {f"grad {name}": p.grad for name, p in model.parameters_by_name().items() if p.grad is not None}


def penalty(problem: Problem, raw: Tensor, hidden: Tensor) -> Tensor:
    """AR and TAR, where the preset has them."""
    regularised = problem.options.regularisation
    found = hidden.new_zeros(())
    if regularised.ar:
        found = found + regularised.ar * hidden.pow(2).mean()
    if regularised.tar:
        found = found + regularised.tar * (raw[1:] - raw[:-1]).pow(2).mean()
    return found


def detached(state: Any) -> Any:
    """A state cut off from its graph."""
    return state.detach() if isinstance(state, Tensor) else tuple(field.detach() for field in state)
