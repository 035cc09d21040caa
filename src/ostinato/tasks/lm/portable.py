"""A language model without us: what it reads and says, in words and arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.tasks.lm.exporting import metadata
from ostinato.tasks.trained import Trained


def described(run: Trained) -> Described:
    """Tokens and lengths to scores, and the state after them."""
    size = run.tokenizer.size

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        return {"inputs": draw.integers(0, size, (T, N)), "lengths": lengths(draw, N, T)}

    return Described("language model", metadata(run), example, _outputs)


def _outputs(model: nn.Module, inputs: Mapping[str, Tensor]) -> list[Any]:
    output = model(inputs["inputs"], None, inputs["lengths"])
    return [output.logits(), *output.state]
