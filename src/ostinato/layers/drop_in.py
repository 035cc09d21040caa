"""torch.nn's three layers with torch.nn's arguments, results and parameter names, and more besides."""

import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from ostinato.core.errors import ConfigError, TensorError
from ostinato.core.registry import like_torch
from ostinato.layers import shapes
from ostinato.layers.recurrent import Recurrent

Device: TypeAlias = torch.device | str | None


class RNNBase(Recurrent):
    """What torch.nn's layers have for the programs that look inside; see `Recurrent` for all the rest."""

    __constants__: ClassVar[list[str]] = [
        *("mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"),
        "proj_size",
    ]

    named_state = False
    mode: str
    proj_size = 0

    def __init__(self, cell: str, input_size: int, hidden_size: int, num_layers: int = 1, **kwargs: Any) -> None:
        super().__init__(cell, input_size, hidden_size, num_layers, **kwargs)
        if self.dropout and num_layers == 1:
            warnings.warn(
                f"dropout={self.dropout} acts between layers, and does nothing with num_layers=1",
                stacklevel=3,
            )

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Tensor | None]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    def flatten_parameters(self) -> None:
        """Do nothing: the parameters are read where they are."""

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Refuse an input of another width, dtype or number of dimensions.

        Args:
            input: `[T, N, D]` or `[N, T, D]`; a PackedSequence's data `[sum of lengths, D]`.
            batch_sizes: the PackedSequence's, or None.

        Raises:
            TensorError: says what was expected and what came.
        """
        expected = 3 if batch_sizes is None else 2
        if input.dim() != expected:
            raise TensorError(f"input must have {expected} dimensions, got {input.dim()}")
        shapes.check_width(input, self.input_size)
        shapes.check_tensor(input, self._like)

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of h, `(L*S, N, O)`; arguments as `check_input`."""
        layers = self.num_layers * (2 if self.bidirectional else 1)
        return layers, self._batch_size(input, batch_sizes), self.proj_size or self.hidden_size

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: Sequence[int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Refuse a state of another shape.

        Raises:
            TensorError: by the message, which is given both.
        """
        if tuple(hx.shape) != tuple(expected_hidden_size):
            raise TensorError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Refuse what `forward` would; arguments as `check_input`, and the state as it is passed.

        Raises:
            TensorError: says what was expected and what came.
        """
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The sequences of a state in another order."""
        return hx if permutation is None else hx.index_select(1, permutation)

    def _shown_first(self) -> tuple[str, ...]:
        return ()

    def _batch_size(self, input: Tensor, batch_sizes: Tensor | None) -> int:
        if batch_sizes is not None:
            return int(batch_sizes[0])
        return input.shape[0 if self.batch_first else 1]


class RNN(RNNBase):
    """Drop-in for `torch.nn.RNN`; see `Recurrent` for what it takes beyond.

    Args:
        input_size: D.
        hidden_size: H.
        num_layers: L.
        nonlinearity: "tanh" or "relu".
        bias: whether there are biases.
        batch_first: sequences are `[N, T, ...]`.
        dropout: between layers.
        bidirectional: both directions.
        device: where to make the parameters.
        dtype: of the parameters.
        **kwargs: the options of `Recurrent`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        **kwargs: Any,
    ) -> None:
        _refuse_projection(kwargs)
        kwargs |= {"bias": bias, "batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional}
        kwargs |= {"device": device, "dtype": dtype}
        super().__init__(rnn_cell(nonlinearity), input_size, hidden_size, num_layers, **kwargs)
        self.nonlinearity, self.mode = nonlinearity, f"RNN_{nonlinearity.upper()}"

    def _options(self) -> dict[str, Any]:
        return ({} if self.nonlinearity == "tanh" else {"nonlinearity": self.nonlinearity}) | super()._options()


class LSTM(RNNBase):
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
        kwargs |= {"bias": bias, "batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional}
        kwargs |= {"proj_size": proj_size, "device": device, "dtype": dtype}
        super().__init__(like_torch(self.mode), input_size, hidden_size, num_layers, **kwargs)
        self.proj_size = proj_size

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of c, `(L*S, N, H)`; arguments as `check_input`."""
        layers, N, _ = self.get_expected_hidden_size(input, batch_sizes)
        return layers, N, self.hidden_size

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """As of `RNNBase`, for h and c."""
        super().check_forward_args(input, hidden[0], batch_sizes)
        expected = self.get_expected_cell_size(input, batch_sizes)
        self.check_hidden_size(hidden[1], expected, "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The sequences of a state in another order."""
        return hx if permutation is None else tuple(super(LSTM, self).permute_hidden(f, permutation) for f in hx)


class GRU(RNNBase):
    """Drop-in for `torch.nn.GRU` (reset after the product); see `Recurrent` for what it takes beyond.

    Args:
        input_size: D.
        hidden_size: H.
        num_layers: L.
        bias: whether there are biases.
        batch_first: sequences are `[N, T, ...]`.
        dropout: between layers.
        bidirectional: both directions.
        device: where to make the parameters.
        dtype: of the parameters.
        **kwargs: the options of `Recurrent`.
    """

    mode = "GRU"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        **kwargs: Any,
    ) -> None:
        _refuse_projection(kwargs)
        kwargs |= {"bias": bias, "batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional}
        super().__init__(
            like_torch(self.mode), input_size, hidden_size, num_layers, device=device, dtype=dtype, **kwargs
        )


#: torch's layers, and ours for each.
TWINS: Mapping[type[nn.Module], type[RNNBase]] = MappingProxyType({nn.RNN: RNN, nn.LSTM: LSTM, nn.GRU: GRU})


def twin_of(layer: Any) -> RNNBase:
    """A layer of ours that computes what torch's does, with its very parameters, also where these are computed."""
    options: dict[str, Any] = {"nonlinearity": layer.nonlinearity} if isinstance(layer, nn.RNN) else {}
    if isinstance(layer, nn.LSTM):
        options["proj_size"] = layer.proj_size
    made: Any = TWINS[type(layer)]
    twin: RNNBase = made(
        layer.input_size,
        layer.hidden_size,
        layer.num_layers,
        bias=layer.bias,
        batch_first=layer.batch_first,
        dropout=layer.dropout if layer.num_layers > 1 else 0.0,
        bidirectional=layer.bidirectional,
        device="meta",
        **options,
    )
    for name in [name for name, _ in twin.named_parameters(recurse=False)]:
        delattr(twin, name)
        setattr(twin, name, getattr(layer, name))
    return twin.train(layer.training)


def rnn_cell(nonlinearity: str) -> str:
    """The cell of a simple recurrent network.

    Raises:
        ConfigError: neither "tanh" nor "relu".
    """
    if nonlinearity not in ("tanh", "relu"):
        raise ConfigError(f"Unknown nonlinearity: expected 'tanh' or 'relu', got {nonlinearity!r}")
    return like_torch(f"RNN_{nonlinearity.upper()}")


def _refuse_projection(options: dict[str, Any]) -> None:
    if "proj_size" in options:
        raise ConfigError("proj_size argument is only supported for LSTM, not RNN or GRU: leave it out")
