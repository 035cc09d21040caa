"""sLSTM: exponential gates, a memory that is an average, and heads that do not see each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from ostinato.cells.contract import CellDefaults, Parameter, input_parameters, require_positive, zeros
from ostinato.core.errors import ConfigError
from ostinato.core.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.legend import Parameters


class AveragedState(NamedTuple):
    """State of an sLSTM, `[N, H]` each: output, sum, its normaliser, and the logarithm of the scale of both."""

    h: Tensor
    c: Tensor
    n: Tensor
    m: Tensor


@register
@dataclass(frozen=True)
class SLSTM(CellDefaults):
    """The LSTM with exponential gates and a normaliser.

        i', f', z', o' = W x_t + b + R h_{t-1}
        m_t = max(log f(f') + m_{t-1}, i')                  the largest exponent, so that none overflows
        i_t = exp(i' - m_t),    f_t = exp(log f(f') + m_{t-1} - m_t)
        c_t = f_t * c_{t-1} + i_t * tanh(z')
        n_t = f_t * n_{t-1} + i_t
        h_t = sigmoid(o') * c_t / n_t

    R is block-diagonal. Before the first step c and n are zero, and m is so low that i_1 is 1. The authors' code
    fills the forget gates' biases in several ways: as here, or by how deep in a stack the layer lies.

    Attributes:
        heads: blocks of R; H has to be a multiple of it.
        exponential_forget: f is exp in place of sigmoid.
    """

    name: ClassVar[str] = "slstm"
    gates: ClassVar[tuple[str, ...]] = ("i", "f", "z", "o")
    State: ClassVar[type[AveragedState]] = AveragedState
    paper: ClassVar[str] = (
        "Beck, Pöppel, Spanring, Auer, Prudnikova, Kopp, Klambauer, Brandstetter, Hochreiter 2024, xLSTM: extended "
        "long short-term memory, arXiv:2405.04517, section 2.2 and appendix A"
    )

    input_size: int
    hidden_size: int
    bias: bool = True
    heads: int = 1
    exponential_forget: bool = False

    def __post_init__(self) -> None:
        require_positive(self, heads=self.heads)
        if self.hidden_size % self.heads:
            raise ConfigError(f"slstm: hidden_size {self.hidden_size} is no multiple of heads {self.heads}")

    def parameters(self) -> Mapping[str, Parameter]:
        """`weight_ih` [4H, D], `bias_ih` [4H], f's from 3 to 6 over the units of a head, and `weight_heads`
        [4, heads, H/heads, H/heads], R."""
        size = self.hidden_size // self.heads
        found = input_parameters(self)
        if self.bias:
            found["bias_ih"] = found["bias_ih"]._replace(initialise=partial(_remembering, heads=self.heads))
        return found | {"weight_heads": Parameter((4, self.heads, size, size), role="recurrent")}

    def initial_state(self, batch_size: int, like: Tensor) -> AveragedState:
        """Nothing remembered."""
        none = like.new_zeros(batch_size, self.hidden_size)
        return AveragedState(none, none.clone(), none.clone(), none - 1e4)

    def step(self, p: Parameters, projected: Tensor, state: AveragedState) -> tuple[Tensor, AveragedState]:
        """One step of the recurrence."""
        import torch
        from torch.nn import functional as F

        (h, c, n, m), mask = state, p.get("recurrent_mask")
        fed_back = (h if mask is None else h * mask).reshape(-1, self.heads, self.hidden_size // self.heads)
        products = [torch.einsum("nhk,hjk->nhj", fed_back, R).flatten(1) for R in p["weight_heads"].unbind()]
        i, f, z, o = (projected + torch.cat(products, -1)).chunk(4, dim=-1)
        kept = m + (f if self.exponential_forget else F.logsigmoid(f))
        m = torch.maximum(kept, i)
        i, f = (i - m).exp(), (kept - m).exp()
        c, n = f * c + i * z.tanh(), f * n + i
        h = o.sigmoid() * c / n
        return h, AveragedState(h, c, n, m)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        """With two heads, and with one, without biases and with both gates exponential."""
        return [cls(3, 6, heads=2), cls(2, 4, bias=False, exponential_forget=True)]


def _remembering(tensor: Tensor, hidden_size: int, *, heads: int) -> None:
    import torch

    zeros(tensor, hidden_size)
    tensor[hidden_size : 2 * hidden_size] = torch.linspace(3, 6, hidden_size // heads).repeat(heads)
