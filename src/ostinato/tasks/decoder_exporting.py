"""Models that write, for other programs: a graph that reads, and one that writes a token; or described whole."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.decoding.search import beam_search, greedy_search
from ostinato.interop.outgoing.described import Arrays, Described, Written
from ostinato.interop.outgoing.graphs import Axis, Graph, Port
from ostinato.layers.attention import Memory
from ostinato.models.sequence_decoder import DecoderState, SequenceDecoder
from ostinato.tasks.exporting import initial, state_ports


class Starts(Protocol):
    """A model whose decoder starts from what was read."""

    decoder: SequenceDecoder

    def start(self, inputs: Tensor, lengths: Tensor | None = None) -> DecoderState:
        """The decoder's state before its first step."""


class Reading(nn.Module):
    """What is read, to all that the decoder's steps need."""

    def __init__(self, model: Starts) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, ...]:
        """The outputs of `graphs_of`'s first."""
        return flat(self.model.start(inputs, lengths))


class Writing(nn.Module):
    """A token and a state, to the next token's scores and the state after it."""

    def __init__(self, decoder: SequenceDecoder, like: DecoderState) -> None:
        super().__init__()
        self.decoder, self.like = decoder, like

    def forward(self, tokens: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        """The outputs of `graphs_of`'s second."""
        output = self.decoder(tokens.unsqueeze(0), whole(self.like, parts))
        scores = output.logits()[0]
        seen = () if output.attention is None else (output.attention[0],)
        fed = () if output.state.fed is None else (output.state.fed,)
        return (scores, torch.softmax(scores, -1), *_fields(output.state), *fed, *seen)


def graphs_of(
    model: Any, vocab_size: int, inputs: list[Port], places: Axis, example: tuple[Tensor, ...]
) -> dict[str, Graph]:
    """The two graphs of a model.

    Args:
        model: that has a decoder and starts it.
        vocab_size: V of the decoder.
        inputs: of what it reads.
        places: the axis of what it attends over.
        example: inputs of N = 1, by which the shapes are found.
    """
    with torch.no_grad():
        like = model.start(*example)
    parts = _parts(like, places)
    seen = [] if like.memory is None else [Port("attention", ("N", places), "weight of each place in this token")]
    fed = [] if like.fed is None else [Port("next_fed", parts["fed"].axes, "for the next step")]
    outputs = [
        Port("scores", ("N", vocab_size), "of each token to come next, before probabilities"),
        Port("probabilities", ("N", vocab_size), "of each token to come next"),
        *state_ports(_fields_of(like))[1],
        *fed,
        *seen,
    ]
    start = initial(_fields_of(like)) | ({} if like.fed is None else {"state_fed": like.fed})
    token = Port("tokens", ("N",), "the token before: to begin with, the metadata's begin", "int64", vocab_size)
    return {
        "encoder": Graph(Reading(model).eval(), inputs, list(parts.values())),
        "step": Graph(Writing(model.decoder, like).eval(), [token, *parts.values()], outputs, start),
    }


def flat(state: DecoderState) -> tuple[Tensor, ...]:
    """A decoder's state as tensors, the layers of each field one after the other."""
    memory = () if state.memory is None else tuple(part for part in state.memory if part is not None)
    return (*_fields(state), *(part for part in (state.peek, state.fed) if part is not None), *memory)


def whole(like: DecoderState, parts: tuple[Tensor, ...]) -> DecoderState:
    """The state of these tensors, laid out as another one."""
    kind, rest = type(like.first), list(parts)
    fields = [rest.pop(0) for _ in like.first]
    above = None if like.above is None else kind(*(field[1:] for field in fields))
    peek, fed = (None if part is None else rest.pop(0) for part in (like.peek, like.fed))
    memory = None if like.memory is None else Memory(*rest)
    return DecoderState(kind(*(field[:1] for field in fields)), above, peek, fed, memory)


def _fields(state: DecoderState) -> tuple[Tensor, ...]:
    return tuple(_fields_of(state))


def _fields_of(state: DecoderState) -> Any:
    """Of all layers, as the cell's NamedTuple."""
    if state.above is None:
        return state.first
    return type(state.first)(*(torch.cat(both) for both in zip(state.first, state.above, strict=True)))


def _parts(like: DecoderState, places: Axis) -> dict[str, Port]:
    """All that goes from one step to the next, or stays the same."""
    before = state_ports(_fields_of(like))[0]
    found = {port.name: port for port in before}
    if like.peek is not None:
        found["peek"] = Port("peek", ("N", like.peek.shape[1]), "what every step sees of the beginning")
    if like.fed is not None:
        found["fed"] = Port("state_fed", ("N", like.fed.shape[1]), "what the step before gave")
    if like.memory is not None:
        keys, values, absent = like.memory
        found["keys"] = Port("keys", ("N", places, keys.shape[2]), "what is attended over: what it is found by")
        found["values"] = Port("values", ("N", places, values.shape[2]), "and what it holds")
        if absent is not None:
            found["absent"] = Port("absent", ("N", places), "where there is nothing", "bool")
    return found


def writer(
    kind: str,
    about: Mapping[str, Any],
    read: Any,
    vocab_size: int,
    decoding: Mapping[str, Any],
    *,
    end: int,
    never: Collection[int],
    beam: int,
) -> Described:
    """A model that reads something and writes tokens.

    Args:
        kind: of `runtime.whole.KINDS`.
        about: what is read and written.
        read: random inputs of N sequences of T steps, by a generator.
        vocab_size: V of what is written.
        decoding: the run's `max_length` and `length_penalty`.
        end: id that a text ends with; it begins with it, too.
        never: ids that are not written.
        beam: hypotheses of the search where nobody says how many.
    """
    alpha = decoding["length_penalty"]
    search = {"max_length": decoding["max_length"], "length_penalty": alpha}
    search |= {"never_written": sorted(never), "beam": beam}

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        tokens = draw.integers(0, vocab_size, (int(draw.integers(1, 8)), N))
        return {**read(draw, N, T), "target_inputs": tokens}

    def writes(model: nn.Module, inputs: Mapping[str, Tensor], width: int, limit: int) -> list[Written]:
        found: Any = model  # a translator, or a captioner
        with torch.no_grad():
            state = found.start(inputs["inputs"], inputs.get("lengths"))
        limits = torch.full((state.first[0].shape[1],), limit)
        if width == 1:
            best = greedy_search(found.decoder.step, state, limits, end=end, start=end, never=never)
        else:
            options: dict[str, Any] = {"width": width, "alpha": alpha, "start": end, "end": end, "never": never}
            best = [one[0] for one in beam_search(found.decoder.step, state, limits, **options)]
        return [(one.tokens, one.score) for one in best]

    def outputs(model: nn.Module, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        return [model(**inputs).logits()]

    return Described(kind, {**about, **search, "end": end}, example, outputs, writes=writes)
