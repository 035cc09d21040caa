"""The training step in NumPy."""

from __future__ import annotations

import itertools
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor

from ostinato.bench.language.numpy_model import SGD, Rnnlm
from ostinato.bench.language.problem import Problem
from ostinato.bench.problem import Results
from ostinato.cells import form
from ostinato.core.registry import lookup

#: Arguments of `LanguageModel` that `Rnnlm` has too.
_KNOWN = {"vocab_size", "embed_size", "hidden_size", "num_layers", "cell", "dropout", "tied", "last_size"}


def unsupported(problem: Problem) -> str | None:
    """What the NumPy version does not have, of a preset; None where it has all."""
    options, sizes = problem.options, problem.sizes
    if form.torch_mode(lookup(sizes["cell"])) != "LSTM":
        return f"the NumPy version has no {sizes['cell']}"
    if options.training.optimizer != "sgd":
        return f"the NumPy version has no {options.training.optimizer}"
    if sizes["last_size"] not in (None, sizes["hidden_size"]):
        return "the NumPy version has no last layer of another size"
    beyond = [name for name, value in sizes.items() if name not in _KNOWN and value]
    beyond += [name for name in ("ar", "tar") if getattr(options.regularisation, name)]
    beyond += ["weight_decay"] if options.training.weight_decay else []
    return f"the NumPy version has no {beyond[0]}" if beyond else None


class NumpyTraining:
    """Forward, backward, clipping and SGD, all in float32."""

    within = staticmethod(nullcontext[None])

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._model = numpy_rnnlm(problem)
        training = problem.options.training
        self._sgd = SGD(training.lr, training.clip)
        pieces = [(batch.inputs.numpy(), batch.targets.numpy()) for batch in problem.batches]
        self._pieces = itertools.cycle(pieces)

    def run(self) -> object:
        """A training step."""
        loss = self._model.forward(*next(self._pieces))
        self._model.backward()
        self._sgd.update(self._model.parameters(), self._model.gradients())
        return loss

    def results(self) -> Results:
        """Loss and gradients of the first piece, without dropout."""
        model, batch = numpy_rnnlm(self._problem), self._problem.batches[0]
        model.train(False)
        loss = model.forward(batch.inputs.numpy(), batch.targets.numpy())
        model.backward()
        found = {"output": torch.tensor(loss, dtype=torch.float64)}
        for name, gradient in model.gradients().items():
            found |= {f"grad {own}": torch.from_numpy(gradient) for own in _names(name)}
        return found


def numpy_rnnlm(problem: Problem) -> Rnnlm:
    """A model in NumPy with the problem's weights; its one bias is the sum of torch's two."""
    sizes = problem.sizes
    L, H = sizes["num_layers"], sizes["hidden_size"]
    model = Rnnlm(
        sizes["vocab_size"], sizes["embed_size"], (H,) * L, dropout=sizes["dropout"], tied=sizes["tied"], seed=1
    )
    weights: dict[str, Tensor] = problem.model.state_dict()
    for name, param in model.parameters().items():
        param[...] = np.sum([weights[own].numpy() for own in _names(name)], axis=0)
    return model


def _names(name: str) -> list[str]:
    """A weight's name, or a bias's two names, in `LanguageModel`."""
    layer, _, kind = name.partition(".")
    if not layer.startswith("lstm"):
        return [name]
    kinds = ("bias_ih", "bias_hh") if kind == "bias" else (kind,)
    return [f"recurrent.{own}_l{layer.removeprefix('lstm')}" for own in kinds]
