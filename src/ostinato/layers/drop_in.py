"""torch.nn's three layers with torch.nn's arguments, results and parameter names, and more besides."""

from typing import Any, TypeAlias

import torch

from ostinato.core.errors import ConfigError
from ostinato.layers.recurrent import Recurrent

Device: TypeAlias = torch.device | str | None


class RNN(Recurrent):
    """Drop-in for `torch.nn.RNN`; see `Recurrent` for what it takes beyond.

    Args:
        input_size: D.
        hidden_size: H.
        num_layers: L.
        nonlinearity: "tanh" or "relu".
        *args: as `torch.nn.RNN`: bias, batch_first, dropout, bidirectional.
        device: where to make the parameters.
        dtype: of the parameters.
        **kwargs: the arguments by name, and the options of `Recurrent`.
    """

    bare_state = True
    proj_size = 0

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *args: Any,
        device: Device = None,
        dtype: torch.dtype | None = None,
        **kwargs: Any,
    ) -> None:
        cells = {"tanh": "rnn", "relu": "rnn_relu"}
        if nonlinearity not in cells:
            raise ConfigError(f"nonlinearity: expected 'tanh' or 'relu', got {nonlinearity!r}")
        kwargs |= {"device": device, "dtype": dtype}
        super().__init__(cells[nonlinearity], input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity, self.mode = nonlinearity, f"RNN_{nonlinearity.upper()}"


class LSTM(Recurrent):
    """Drop-in for `torch.nn.LSTM`; see `Recurrent` for what it takes beyond, and the cell for `forget_bias`.

    Args:
        input_size: D.
        hidden_size: H.
        num_layers: L.
        bias: whether there are biases.
        batch_first: sequences are `[N, T, ...]`.
        dropout: between layers.
        bidirectional: both directions.
        proj_size: O where the output is projected; 0 means none.
        device: where to make the parameters.
        dtype: of the parameters.
        **kwargs: the options of `Recurrent`.
    """

    mode = "LSTM"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs |= {"proj_size": proj_size, "device": device, "dtype": dtype}
        super().__init__(
            "lstm", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, **kwargs
        )
        self.proj_size = proj_size


class GRU(Recurrent):
    """Drop-in for `torch.nn.GRU` (reset after the product); see `Recurrent` for what it takes beyond.

    Args:
        input_size: D.
        hidden_size: H.
        num_layers: L.
        *args: as `torch.nn.GRU`: bias, batch_first, dropout, bidirectional.
        device: where to make the parameters.
        dtype: of the parameters.
        **kwargs: the arguments by name, and the options of `Recurrent`.
    """

    bare_state = True
    mode, proj_size = "GRU", 0

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *args: Any,
        device: Device = None,
        dtype: torch.dtype | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs |= {"device": device, "dtype": dtype}
        super().__init__("gru", input_size, hidden_size, num_layers, *args, **kwargs)
