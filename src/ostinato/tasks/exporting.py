"""What tasks say alike of a model that is written for other programs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from ostinato.data.labelled.reading import SequenceCodec
from ostinato.data.labelled.sequences import Scale
from ostinato.data.text.tokenizer import Tokenizer
from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.models.many_to_one import ManyToOne
from ostinato.tasks.trained import Trained


def lengths_port(axis: str = "T", name: str = "lengths", rows: str = "N") -> Port:
    """How many of an axis' steps each row has."""
    meaning = f"valid steps of each sequence, 0 to {axis}; what stands behind is not read"
    return Port(name, (rows,), meaning, "int64", upto=axis)


def tokens(size: int, name: str = "tokens", time: str = "T") -> Port:
    """Ids of a vocabulary of that size."""
    return Port(name, (time, "N"), "ids in the vocabulary", "int64", size)


def state_ports(state: Any) -> tuple[list[Port], list[Port]]:
    """What a state of N = 1, each field `[L, N, ...]`, is going in and coming out."""
    names = getattr(state, "_fields", None) or tuple(str(number) for number in range(len(state)))
    before, after = [], []
    for name, field in zip(names, state, strict=True):
        axes = (field.shape[0], "N", *field.shape[2:])
        before.append(Port(f"state_{name}", axes, "before the first step, layer by layer"))
        after.append(Port(f"next_{name}", axes, "after each sequence's last step: the state of the next call"))
    return before, after


def initial(state: Any) -> dict[str, Tensor]:
    """A state of N = 1 by the names of its inputs."""
    return {port.name: field.detach() for port, field in zip(state_ports(state)[0], state, strict=True)}


def initial_fields(state: Any) -> dict[str, Any]:
    """What each field of a state `[L, 1, ...]` starts from: a number where all are the same, else the field."""
    found = {}
    for port, field in zip(state_ports(state)[0], state, strict=True):
        same = bool((field == field.flatten()[0]).all())
        found[port.name] = field.flatten()[0].item() if same else field[:, 0].tolist()
    return found


def vocabulary(tokenizer: Tokenizer) -> dict[str, Any]:
    """The tokens in the order of their ids, and the file that the library `tokenizers` reads."""
    by_id = sorted(tokenizer.vocabulary.items(), key=lambda item: item[1])
    return {
        "level": tokenizer.level,
        "vocabulary": [token for token, _ in by_id],
        "eos": tokenizer.eos_id,
        "unknown": tokenizer.unk_id,
        "tokenizer": tokenizer.to_json(),
    }


def scaling(scale: Scale) -> dict[str, Any]:
    """Means and standard deviations, channel by channel."""
    return {"mean": list(scale.mean), "deviation": list(scale.deviation)}


def reads(codec: SequenceCodec) -> dict[str, Any]:
    """What a model of whole sequences reads: a vocabulary, or channels and their scale."""
    if codec.tokenizer is not None:
        return vocabulary(codec.tokenizer) | {"max_length": codec.max_length}
    assert codec.scale is not None
    return {"channels": list(codec.columns.values), "scaling": scaling(codec.scale), "max_length": codec.max_length}


class SequenceGraph(nn.Module):
    """A model of whole sequences: its outputs, what an activation makes of them, and the attention to each step where
    it has one."""

    def __init__(self, model: ManyToOne, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.model, self.activation = model, activation

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """The outputs of `sequence_graph`."""
        outputs, _, attention = self.model(inputs, lengths)
        found = [outputs] if self.activation is None else [outputs, self.activation(outputs)]
        return (*found, *([attention] if _tells_attention(self.model) else []))


def _tells_attention(model: ManyToOne) -> bool:
    """Whether there is a weight of each step; behind convolutions each is of several."""
    return model.attention is not None and model.convolutions is None


def sequence_graph(model: nn.Module, codec: SequenceCodec, outputs: list[Port], activation: nn.Module | None) -> Graph:
    """The graph of a model of whole sequences; `outputs` are its own, and that of the activation."""
    assert isinstance(model, ManyToOne)
    if codec.tokenizer is not None:
        inputs = tokens(codec.tokenizer.size)
    else:
        width = len(codec.scale.mean) if codec.scale is not None else 0
        inputs = Port("features", ("T", "N", width), "channels, standardised as the metadata's scaling says")
    if _tells_attention(model):
        outputs = [*outputs, Port("attention", ("T", "N"), "weight of each step in the answer")]
    return Graph(SequenceGraph(model, activation).eval(), [inputs, lengths_port()], outputs)


def described_sequences(run: Trained, about: Mapping[str, Any]) -> Described:
    """A model without us: tokens or features, and lengths, to C numbers."""
    model = run.config["model"]

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        if model.get("features") is None:
            inputs: Any = draw.integers(0, model["vocab_size"], (T, N))
        else:
            inputs = draw.normal(size=(T, N, model["features"])).astype(np.float32)
        return {"inputs": inputs, "lengths": lengths(draw, N, T)}

    return Described("sequence model", about, example, lambda net, inputs: [net(**inputs).outputs])
