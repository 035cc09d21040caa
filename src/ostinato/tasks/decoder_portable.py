"""What tasks that write say alike of a model without us."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.decoding.search import beam_search, greedy_search
from ostinato.interop.outgoing.described import Arrays, Described, Written


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
