"""One step at a time: drop-ins for torch.nn's RNNCell, LSTMCell and GRUCell."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ostinato import kernels
from ostinato.cells.contract import Cell
from ostinato.core.errors import TensorError
from ostinato.core.registry import build, like_torch, options_set
from ostinato.layers import shapes
from ostinato.layers.drop_in import rnn_cell
from ostinato.layers.leaf import Quantization, leaf


class SingleStep(nn.Module):
    """Any registered cell for one time step, with parameters named as torch.nn's cells name them.

    Args:
        cell: a registered cell's name.
        input_size: D.
        hidden_size: H.
        bias: whether there are biases.
        device: where to make the parameters.
        dtype: of the parameters.
        **options: the cell's own.
    """

    #: As `Recurrent.named_state`.
    named_state = True

    __constants__: ClassVar[list[str]] = ["input_size", "hidden_size", "bias"]

    qconfig = Quantization()

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.cell: Cell = build(cell, input_size, hidden_size, bias, **options)
        for name, declared in self.cell.parameters().items():
            self.register_parameter(name, nn.Parameter(torch.empty(declared.shape, device=device, dtype=dtype)))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Fill every parameter anew, as its cell declares it."""
        for name, declared in self.cell.parameters().items():
            declared.initialise(self.get_parameter(name), self.hidden_size)

    @leaf
    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """One step.

        Args:
            input: `[N, D]`, or `[D]` for one sequence.
            hx: the state before, `[N, ...]` a field (without N for one sequence); zeros where None.

        Returns:
            The state after, as torch.nn's cell returns it: `(h, c)`, or `h` alone.

        Raises:
            TensorError: a shape or dtype that does not fit, with what was expected.
        """
        if input.dim() not in (1, 2):
            raise TensorError(f"Expected input to be 1D or 2D, got {input.dim()}D instead, of {tuple(input.shape)}")
        if input.shape[-1] != self.input_size:
            raise TensorError(
                f"input has inconsistent input_size: got {input.shape[-1]} expected {self.input_size}, "
                f"in [N, {self.input_size}] or [{self.input_size}]"
            )
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        state = zeros = self.cell.initial_state(x.shape[0], x)
        if hx is not None:
            shapes.check_step_state(hx, zeros)
            dimensions = [zero.dim() - (not batched) for zero in zeros]
            fields = shapes.state_fields(zeros._fields, hx, dimensions)
            state = self.cell.State(*(field if batched else field.unsqueeze(0) for field in fields))
            shapes.check_state(zeros._fields, state, zeros)
        shapes.check_tensor(x, next(self.parameters()))
        p = {name: getattr(self, name) for name in self.cell.parameters()}
        if kernels.is_exported():
            state = kernels.run(self.cell, p, x.unsqueeze(0), state).final
        else:
            _, state = self.cell.step(p, self.cell.project(p, x.unsqueeze(0))[0], state)
        if not batched:
            state = self.cell.State(*(field.squeeze(0) for field in state))
        return shapes.as_returned(state, as_namedtuple=self.named_state)

    def extra_repr(self) -> str:
        """Sizes and what differs from the defaults, as torch.nn's cells print them."""
        shown = [str(self.input_size), str(self.hidden_size), *([] if self.bias else ["bias=False"])]
        return ", ".join([*shown, *(f"{name}={value}" for name, value in self._options().items())])

    def _options(self) -> dict[str, Any]:
        return options_set(self.cell)


class RNNCell(SingleStep):
    """Drop-in for `torch.nn.RNNCell`, with its arguments in its order."""

    named_state = False

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__(rnn_cell(nonlinearity), input_size, hidden_size, bias, device, dtype, **options)
        self.nonlinearity = nonlinearity

    def _options(self) -> dict[str, Any]:
        return ({} if self.nonlinearity == "tanh" else {"nonlinearity": self.nonlinearity}) | super()._options()


class _Gated(SingleStep):
    named_state = False
    mode: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__(like_torch(self.mode), input_size, hidden_size, bias, device, dtype, **options)


class LSTMCell(_Gated):
    """Drop-in for `torch.nn.LSTMCell`, with its arguments in its order."""

    mode = "LSTM"


class GRUCell(_Gated):
    """Drop-in for `torch.nn.GRUCell`, with its arguments in its order."""

    mode = "GRU"
