"""Long short-term memory, with torch.nn's gate order, optional projection and a choice of forget-gate bias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Self

from ostinato.cells.activations import Activation, activate, check_activations, gate, squash
from ostinato.cells.contract import (
    CellDefaults,
    MemoryState,
    OnnxOperator,
    Parameter,
    gate_parameters,
    linear,
    recurrent,
    require_whole,
    uniform,
)
from ostinato.core.errors import ConfigError
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


def forget_biased(bias: Tensor, hidden_size: int, by: float) -> None:
    """Fill uniformly, then raise the forget gate's quarter by a constant: i, f, g, o in rows of H."""
    uniform(bias, hidden_size)
    bias.data[hidden_size : 2 * hidden_size] += by


@register
@dataclass(frozen=True)
class LSTM(CellDefaults):
    """A memory cell that gates let be written, kept and read.

        i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)      input gate
        f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)      forget gate
        g_t =    tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)      candidate
        o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)      output gate
        c_t = f_t * c_{t-1} + i_t * g_t
        h_t = o_t * tanh(c_t), or W_hr (o_t * tanh(c_t)) with projection

    Equal to `torch.nn.LSTM`. The forget gate is Gers', the projection Sak's (2014, arXiv:1402.1128).

    Attributes:
        forget_bias: added to the forget gate's bias when a layer is made: 0 as torch, 1 as TensorFlow's BasicLSTMCell
            (Jozefowicz et al. 2015). It is part of the trained bias, so weights mean the same everywhere.
        proj_size: O where the output is projected; 0 means none.
        activation: in place of each tanh: a name such as "relu" or "softsign", or a function. As the two below, on the
            reference where it is not the usual one.
        recurrent_activation: in place of each sigmoid.
        clip: bounds the sums that go into gates and candidate to -clip and clip.
    """

    name: ClassVar[str] = "lstm"
    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    State: ClassVar[type[MemoryState]] = MemoryState
    paper: ClassVar[str] = (
        "Hochreiter, Schmidhuber 1997, Long short-term memory, Neural Computation 9(8); "
        "Gers, Schmidhuber, Cummins 2000, Learning to forget, Neural Computation 12(10)"
    )
    width_option: ClassVar[str] = "proj_size"
    projected_kernel: ClassVar[str] = "lstm_projected"
    torch_mode: ClassVar[str] = "LSTM"
    onnx: ClassVar[OnnxOperator] = OnnxOperator("LSTM", ("i", "o", "f", "g"))
    native: ClassVar[bool] = True

    input_size: int
    hidden_size: int
    bias: bool = True
    forget_bias: float = 0.0
    proj_size: int = 0
    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    clip: float | None = None

    def __post_init__(self) -> None:
        require_whole(self)
        check_activations(self)
        if self.proj_size and not 0 <= self.proj_size < self.hidden_size:
            raise ConfigError(
                "lstm: proj_size has to be smaller than hidden_size: "
                f"it must be at least 0 and below hidden_size {self.hidden_size}, got {self.proj_size}"
            )
        if self.forget_bias and not self.bias:
            raise ConfigError(f"lstm: forget_bias {self.forget_bias} needs bias=True, which holds it")

    def parameters(self) -> Mapping[str, Parameter]:
        """torch.nn's four, and `weight_hr` [O, H] with projection."""
        found = gate_parameters(self, fed_back=self.output_size)
        if self.forget_bias:
            found["bias_ih"] = found["bias_ih"]._replace(initialise=partial(forget_biased, by=self.forget_bias))
        if self.proj_size:
            found["weight_hr"] = Parameter((self.proj_size, self.hidden_size), role="output")
        return found

    def step(self, p: Parameters, projected: Tensor, state: MemoryState) -> tuple[Tensor, MemoryState]:
        """One step of the recurrence."""
        h, c = state
        i, f, g, o = (projected + recurrent(p, h)).chunk(4, dim=-1)
        c = gate(self, f) * c + gate(self, i) * activate(self, g)
        h = gate(self, o) * squash(self.activation, c)
        if self.proj_size:
            h = linear(h, p["weight_hr"])
        return h, MemoryState(h, c)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """And with a forget-gate bias, with projection."""
        return [*super().examples(), cls(3, 5, forget_bias=1.0), cls(3, 5, proj_size=2)]
