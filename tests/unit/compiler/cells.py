"""Cells for the compiler's tests: between them every operation and shape that a step may have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.cells.contract import HiddenState, Parameter, gate_parameters, recurrent


class HiddenAndHeads(NamedTuple):
    h: Tensor
    m: Tensor


@dataclass(frozen=True)
class Everything:
    """Heads, a block-diagonal product, reductions over units and heads, a product of several values side by side."""

    name: ClassVar[str] = "everything"
    gates: ClassVar[tuple[str, ...]] = ("a", "b")
    State: ClassVar[type[HiddenAndHeads]] = HiddenAndHeads
    paper: ClassVar[str] = "none"

    input_size: int
    hidden_size: int
    bias: bool = True

    @property
    def output_size(self) -> int:
        return self.hidden_size

    def parameters(self) -> Mapping[str, Parameter]:
        H = self.hidden_size
        own = {"heads": (2, H // 2, H // 2), "unit": (H,), "scale": (), "big": (H, 3 * H)}
        return gate_parameters(self) | {name: Parameter(shape) for name, shape in own.items()}

    def project(self, p: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return F.linear(x, p["weight_ih"], p.get("bias_ih"))

    def initial_state(self, batch_size: int, like: Tensor) -> HiddenAndHeads:
        H = self.hidden_size
        return HiddenAndHeads(like.new_zeros(batch_size, H), like.new_zeros(batch_size, 2, H // 2))

    def step(self, p: Mapping[str, Tensor], projected: Tensor, state: Any) -> tuple[Tensor, Any]:
        h, m = state
        H = self.hidden_size
        a, b = (projected + recurrent(p, h)).chunk(2, -1)
        q = F.layer_norm(torch.einsum("nhk,hkj->nhj", h.view(-1, 2, H // 2), p["heads"]), (H // 2,))
        m = torch.sigmoid(p["unit"].view(2, H // 2)) * m + q * torch.softmax(m, -1)
        m = (m + m.mean(1, keepdim=True) + m.amax(-1, keepdim=True)).tanh()
        g = F.rms_norm((a * a + 0.1).sqrt() + b.clamp(-1, 1) * p["scale"], (H,))
        both = torch.cat([h, torch.where(a > b, a.sin(), b.cos()), m.flatten(1)], -1)
        h = torch.tanh(both @ p["big"].t() + torch.maximum(a, b)) * g
        return torch.tanh(h), HiddenAndHeads(h, m)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return [cls(3, 6), cls(2, 8, bias=False)]


@dataclass(frozen=True)
class Scan:
    """No recurrent product; parameters that are made of others; a state of another width than the output."""

    name: ClassVar[str] = "scan"
    gates: ClassVar[tuple[str, ...]] = ("z", "n")
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = "none"

    input_size: int
    hidden_size: int
    bias: bool = True

    @property
    def output_size(self) -> int:
        return self.hidden_size // 2

    def parameters(self) -> Mapping[str, Parameter]:
        H = self.hidden_size
        found = {"weight_ih": Parameter((2 * H, self.input_size)), "rate": Parameter((H,))}
        return found | ({"bias_ih": Parameter((2 * H,))} if self.bias else {})

    def project(self, p: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return F.linear(x, p["weight_ih"], p.get("bias_ih"))

    def initial_state(self, batch_size: int, like: Tensor) -> HiddenState:
        return HiddenState(like.new_zeros(batch_size, self.hidden_size))

    def step(self, p: Mapping[str, Tensor], projected: Tensor, state: Any) -> tuple[Tensor, Any]:
        z, n = projected.chunk(2, -1)
        h = torch.exp(-F.softplus(p["rate"])) * torch.lerp(state.h, n, z.sigmoid())
        first, second = h.chunk(2, -1)
        return first * second.sigmoid(), HiddenState(h)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return [cls(3, 6), cls(2, 4, bias=False)]


class Differences(Scan):
    """Its outputs are differences between steps, which torch has to make."""

    name: ClassVar[str] = "differences"
    output_is_state: ClassVar[bool] = False

    @property
    def output_size(self) -> int:
        return self.hidden_size

    def step(self, p: Mapping[str, Tensor], projected: Tensor, state: Any) -> tuple[None, Any]:
        z, n = projected.chunk(2, -1)
        return None, HiddenState(torch.lerp(state.h, n, z.sigmoid()) * p["rate"])

    def readout(self, p: Mapping[str, Tensor], states: HiddenState) -> Tensor:
        return states.h - torch.cat([torch.zeros_like(states.h[:1]), states.h[:-1]])


class ReadTwice(Scan):
    """Its step has a product, and what is read of the states two more, one after the other."""

    name: ClassVar[str] = "read_twice"
    output_is_state: ClassVar[bool] = False

    @property
    def output_size(self) -> int:
        return self.hidden_size + 1

    def parameters(self) -> Mapping[str, Parameter]:
        H = self.hidden_size
        own = {"back": (H, H), "up": (2 * H, H), "down": (H + 1, 2 * H), "edge": (H + 1,)}
        return super().parameters() | {name: Parameter(shape) for name, shape in own.items()}

    def step(self, p: Mapping[str, Tensor], projected: Tensor, state: Any) -> tuple[None, Any]:
        z, n = projected.chunk(2, -1)
        return None, HiddenState(torch.lerp(state.h, (n + F.linear(state.h, p["back"])).tanh(), z.sigmoid()))

    def readout(self, p: Mapping[str, Tensor], states: HiddenState) -> Tensor:
        wide = F.layer_norm(F.linear(states.h, p["up"]), (2 * self.hidden_size,))
        read = F.linear(wide * torch.cat([states.h, states.h.square()], -1), p["down"], p["edge"])
        return read.tanh() + states.h.mean(-1, keepdim=True)


class SeenFromBefore(Scan):
    """No recurrent product; the output has the new state, and a product of the one before."""

    name: ClassVar[str] = "seen_from_before"
    output_is_state: ClassVar[bool] = False

    @property
    def output_size(self) -> int:
        return 2 * self.hidden_size

    def parameters(self) -> Mapping[str, Parameter]:
        return super().parameters() | {"seen": Parameter((self.hidden_size, self.hidden_size))}

    def step(self, p: Mapping[str, Tensor], projected: Tensor, state: Any) -> tuple[Tensor, Any]:
        z, n = projected.chunk(2, -1)
        h = torch.lerp(state.h, n, z.sigmoid())
        return torch.cat([F.linear(state.h, p["seen"]).tanh(), h], -1), HiddenState(h)


_OPERATIONS = {
    # never both above zero: the norm and deviation of nothing
    "norm_of_nothing": lambda x: x + (x.relu() * (-x).relu()).norm(dim=-1, keepdim=True),
    "std_of_equals": lambda x: x + (x.relu() * (-x).relu()).std(dim=-1, keepdim=True),
    "exp": lambda x: x.clamp(max=2).exp(),
    "log": lambda x: (x * x + 0.1).log(),
    "pow": lambda x: (x * x + 0.5).pow(1.7),
    "rsqrt": lambda x: (x.abs() + 0.3).rsqrt(),
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "hardsigmoid": F.hardsigmoid,
    "hardtanh": F.hardtanh,
    "hardswish": F.hardswish,
    "logsigmoid": F.logsigmoid,
    "erf": torch.erf,
    "expm1": lambda x: torch.expm1(x.clamp(max=2)),
    "log1p": lambda x: torch.log1p(x.abs()),
    "minimum": lambda x: torch.minimum(x, x * x),
    "addcmul": lambda x: torch.addcmul(x, x, x.tanh(), value=0.5),
    "reciprocal": lambda x: 1 / (1 + x * x),
    "var": lambda x: x.var(-1, keepdim=True) + x,
    "amax": lambda x: x - x.amax(-1, keepdim=True),
    "sum": lambda x: x.sum(-1, keepdim=True) * 0.1 + x,
    "amin": lambda x: x - x.amin(-1, keepdim=True),
    "std": lambda x: x.std(-1, keepdim=True) + x,
    "logsumexp": lambda x: x - torch.logsumexp(x, -1, keepdim=True),
    "log_softmax": lambda x: torch.log_softmax(x, -1),
    "celu": lambda x: F.celu(x, 0.7),
    "detach": lambda x: x.detach().sigmoid() * x,
    "stack": lambda x: torch.stack(list(x.chunk(2, -1)), 1).sum(1).repeat_interleave(1, -1).tanh().mean(-1, True) + x,
}


@dataclass(frozen=True)
class OneOperation:
    """h = f(W x + b + h'), f by its name."""

    name: ClassVar[str] = "one_operation"
    gates: ClassVar[tuple[str, ...]] = ("h",)
    State: ClassVar[type[HiddenState]] = HiddenState
    paper: ClassVar[str] = "none"

    input_size: int
    hidden_size: int
    bias: bool = True
    operation: str = "relu"

    @property
    def output_size(self) -> int:
        return self.hidden_size

    def parameters(self) -> Mapping[str, Parameter]:
        return {"weight_ih": Parameter((self.hidden_size, self.input_size)), "bias_ih": Parameter((self.hidden_size,))}

    def project(self, p: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return F.linear(x, p["weight_ih"], p["bias_ih"])

    def initial_state(self, batch_size: int, like: Tensor) -> HiddenState:
        return HiddenState(like.new_zeros(batch_size, self.hidden_size))

    def step(self, p: Mapping[str, Tensor], projected: Tensor, state: Any) -> tuple[Tensor, Any]:
        h = _OPERATIONS[self.operation](projected + state.h).tanh()
        return h, HiddenState(h)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return [cls(3, 4, operation=operation) for operation in _OPERATIONS]
