"""A stack that was found, as a layer."""

import torch

from ostinato.core.errors import ConfigError, DataError
from ostinato.interop.parts import Stack
from ostinato.layers.recurrent import Recurrent


def layer(stack: Stack, *, batch_first: bool = False) -> Recurrent:
    """The layer with these weights, in evaluation.

    Args:
        stack: of a file.
        batch_first: sequences are `[N, T, ...]`.

    Raises:
        DataError: weights that do not make one layer; names the first that does not fit.
    """
    try:
        made = Recurrent(
            input_size=stack.input_size,
            hidden_size=stack.hidden_size,
            num_layers=stack.num_layers,
            bidirectional=stack.directions == 2,
            batch_first=batch_first,
            device="meta",
            **stack.settings(),
        )
    except ConfigError as error:
        raise DataError(f"{stack.name}: {error}") from None
    expected = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    for name in sorted(expected.keys() | stack.weights.keys()):
        there = stack.weights[name].shape if name in stack.weights else None
        if there != expected.get(name):
            raise DataError(f"{stack.name}: expected {name} of shape {expected.get(name)}, got {there}")
    made.load_state_dict({name: torch.from_numpy(array) for name, array in stack.weights.items()}, assign=True)
    return made.requires_grad_(True).eval()
