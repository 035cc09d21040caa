"""A language model for other programs: a piece of text and a state in, the next tokens and the state out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.tasks.exporting import initial, initial_fields, lengths_port, state_ports, tokens, vocabulary
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.trained import Trained


class Pieces(nn.Module):
    """A language model of tensors alone, its state a tensor a field."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model
        self.kind = type(model.initial_state(1))

    def forward(self, tokens: Tensor, lengths: Tensor, *fields: Tensor) -> tuple[Tensor, ...]:
        """The outputs of `graphs`."""
        state = self.kind(*fields) if hasattr(self.kind, "_fields") else tuple(fields)
        output = self.model(tokens, state, lengths)
        scores = output.logits()
        return (scores, torch.softmax(scores, -1), *output.state)


def metadata(run: Trained) -> dict[str, Any]:
    """The vocabulary, and what a text begins with: token and state."""
    assert isinstance(run.model, LanguageModel)
    begin = {"begin": run.tokenizer.begin_id, "separator": run.model.separator}
    return vocabulary(run.tokenizer) | begin | {"initial_state": initial_fields(run.model.initial_state(1))}


def graphs(run: Trained) -> dict[str, Graph]:
    """One, for whole texts, for pieces of them and for single tokens: the state goes in and comes out."""
    model = run.model
    assert isinstance(model, LanguageModel)
    V = run.tokenizer.size
    before, after = state_ports(model.initial_state(1))
    outputs = [
        Port("scores", ("T", "N", V), "of each token to come next, before probabilities"),
        Port("probabilities", ("T", "N", V), "of each token to come next"),
    ]
    inputs, start = [tokens(V), lengths_port(), *before], initial(model.initial_state(1))
    return {"model": Graph(Pieces(model).eval(), inputs, [*outputs, *after], start)}


def described(run: Trained) -> Described:
    """Tokens and lengths to scores, and the state after them."""
    size = run.tokenizer.size

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        return {"inputs": draw.integers(0, size, (T, N)), "lengths": lengths(draw, N, T)}

    return Described("language model", metadata(run), example, _outputs)


def _outputs(model: nn.Module, inputs: Mapping[str, Tensor]) -> list[Any]:
    output = model(inputs["inputs"], None, inputs["lengths"])
    return [output.logits(), *output.state]
