"""The training step in NumPy."""

import itertools
from contextlib import nullcontext

import numpy as np
import torch

from ostinato.bench.language.problem import Problem
from ostinato.bench.problem import Results
from ostinato.byhand import SGD, LanguageModel, clip_grads
from ostinato.byhand.layers import Array
from ostinato.cells import form
from ostinato.core.batch import Batch
from ostinato.core.registry import lookup
from ostinato.interop.layouts import layout

#: Order of the gates, and the rule of biases, of `ostinato.byhand`.
_LSTM = layout("Deep Learning from Scratch 2", "TimeLSTM")
#: Arguments of the package's `LanguageModel` that the one by hand has too.
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
        self._sgd, self._clip = SGD(training.lr), training.clip
        self._pieces = itertools.cycle([_piece(batch) for batch in problem.batches])

    def run(self) -> object:
        """A training step."""
        loss = self._model.forward(*next(self._pieces))
        self._model.backward()
        clip_grads(self._model.grads, self._clip)
        self._sgd.update(self._model.params, self._model.grads)
        return loss

    def results(self) -> Results:
        """Loss and gradients of the first piece, without dropout."""
        model = numpy_rnnlm(self._problem)
        loss = model.forward(*_piece(self._problem.batches[0]), train=False)
        model.backward()
        found = {"output": torch.tensor(loss, dtype=torch.float64)}
        return found | {f"grad {name}": torch.from_numpy(array) for name, array in _ours(model.named_grads()).items()}


def numpy_rnnlm(problem: Problem) -> LanguageModel:
    """A model in NumPy with the problem's weights; its one bias is the sum of torch's two."""
    sizes = problem.sizes
    model = LanguageModel(
        sizes["vocab_size"],
        sizes["embed_size"],
        (sizes["hidden_size"],) * sizes["num_layers"],
        dropout_ratio=sizes["dropout"],
        tied=sizes["tied"],
    )
    weights = {name: weight.numpy() for name, weight in problem.model.state_dict().items()}
    model.embed.params[0][...] = weights["embedding.weight"]
    W, b = model.affine.params
    W[...], b[...] = weights["decoder.weight"].T, weights["decoder.bias"]
    for index, lstm in enumerate(model.lstms):
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        theirs = _LSTM.write({kind: weights[f"recurrent.{kind}_l{index}"] for kind in kinds})
        for param, value in zip(lstm.params, theirs, strict=True):
            assert value is not None
            param[...] = value
    return model


def _piece(batch: Batch) -> tuple[Array, Array]:
    """Words and the words after them, `[N, T]`: the batch first."""
    inputs, targets = (np.ascontiguousarray(words.numpy().T) for words in (batch.inputs, batch.targets))
    return inputs, targets


def _ours(arrays: dict[str, Array]) -> dict[str, Array]:
    """Weights' gradients by `LanguageModel`'s names; both of torch's biases have that of the one."""
    found = {"embedding.weight": arrays["embed.W"], "decoder.bias": arrays["affine.b"]}
    if "affine.W" in arrays:
        found["decoder.weight"] = np.ascontiguousarray(arrays["affine.W"].T)
    names = [name.removesuffix(".Wx") for name in arrays if name.endswith(".Wx")]
    for index, name in enumerate(names):
        one = _LSTM.read(name, *(arrays[f"{name}.{kind}"] for kind in ("Wx", "Wh", "b")))
        one["bias_hh"] = one["bias_ih"]
        found |= {f"recurrent.{kind}_l{index}": array for kind, array in one.items()}
    return found
