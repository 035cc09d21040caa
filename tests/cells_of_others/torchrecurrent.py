"""The cells of torchrecurrent 0.2.5 (PyPI): its equations and parameters' names, written anew as cells of this package.

`CELLS` has each by torchrecurrent's name of the layer. They are not registered: the package has some of the names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.cells.contract import CellDefaults, HiddenState, MemoryState, Parameter
from ostinato.core.legend import Parameters

sigmoid, tanh, linear = torch.sigmoid, torch.tanh, F.linear
CELLS: dict[str, type[Any]] = {}


@dataclass(frozen=True)
class _Cell(CellDefaults):
    """Parameters by shapes in words, equations by a function of parameters, projected input and fields."""

    gates: ClassVar[tuple[str, ...]] = ("all",)
    paper: ClassVar[str] = "https://github.com/MartinuzziFrancesco/torchrecurrent"
    shapes: ClassVar[Mapping[str, str]]
    equations: ClassVar[Callable[..., Any]]
    projection: ClassVar[Callable[[Parameters, Tensor], Tensor]]

    input_size: int
    hidden_size: int
    bias: bool = True

    def parameters(self) -> dict[str, Parameter]:
        sizes = {"H": self.hidden_size, "D": self.input_size}
        dims = {name: [_size(word, sizes) for word in shape.split()] for name, shape in self.shapes.items()}
        roles = {name: "recurrent" for name in self.shapes if name.startswith(("weight_h", "weight_ch"))}
        return {name: Parameter(tuple(shape), role=roles.get(name)) for name, shape in dims.items()}  # type: ignore[arg-type]

    @property
    def projected_size(self) -> int:
        p = {name: torch.empty(declared.shape, device="meta") for name, declared in self.parameters().items()}
        return type(self).projection(p, torch.empty(1, 1, self.input_size, device="meta")).shape[-1]

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        return type(self).projection(p, x)

    def step(self, p: Parameters, projected: Tensor, state: Any) -> tuple[Tensor, Any]:
        output, after = type(self).equations(p, projected, *state)
        return output, self.State(*after)


def _size(word: str, sizes: Mapping[str, int]) -> int:
    """Of 3H, D or 1."""
    letter = word[-1]
    return int(word[:-1] or 1) * sizes[letter] if letter in sizes else int(word)


def _inputs(p: Parameters, x: Tensor) -> Tensor:
    return linear(x, p["weight_ih"], p.get("bias_ih"))


def _inputs_too(p: Parameters, x: Tensor) -> Tensor:
    """The input beside what is made of it."""
    return torch.cat([_inputs(p, x), x], -1)


class _Three(NamedTuple):
    v: Tensor
    c: Tensor


def _cell(
    name: str,
    ih: int = 1,
    hh: int = 1,
    *,
    State: type[Any] = HiddenState,
    project: Callable[[Parameters, Tensor], Tensor] = _inputs,
    follows: bool = True,
    sizes: str = "H",
    **more: str,
) -> Callable[[Any], Any]:
    """Make a cell of its equations.

    Args:
        name: torchrecurrent's of the layer.
        ih: rows of `weight_ih` and `bias_ih`, in units.
        hh: those of `weight_hh` and `bias_hh`; 0 for none.
        State: the fields.
        project: what of a step needs no state.
        follows: whether the output is the first field.
        sizes: of the fields, in words.
        **more: other parameters, or the same of other shapes, in words; an empty one is left out.
    """
    shapes = {"weight_ih": f"{ih}H D", "bias_ih": f"{ih}H"}
    shapes |= {"weight_hh": f"{hh}H H", "bias_hh": f"{hh}H"} if hh else {}
    shapes = {key: shape for key, shape in (shapes | more).items() if shape}
    words = sizes.split() * (len(State._fields) if len(sizes.split()) == 1 else 1)

    def made(equations: Any) -> Any:
        def state_sizes(self: Any) -> dict[str, tuple[int, ...]]:
            known = {"H": self.hidden_size, "D": self.input_size}
            return {field: (known[word],) for field, word in zip(State._fields, words, strict=True)}

        body = {
            "name": f"torchrecurrent_{name.lower()}", "State": State, "shapes": shapes, "output_is_state": follows,
            "equations": staticmethod(equations), "projection": staticmethod(project), "state_sizes": state_sizes,
        }  # fmt: skip
        CELLS[name] = dataclass(frozen=True)(type(name, (_Cell,), body))
        return equations

    return made


def _hh(p: Parameters, h: Tensor, part: int = 0, of: int = 1, name: str = "hh") -> Tensor:
    """W h + b, or one of its parts."""
    weight, bias = p[f"weight_{name}"], p.get(f"bias_{name}")
    if of > 1:
        weight, bias = weight.chunk(of)[part], None if bias is None else bias.chunk(of)[part]
    return linear(h, weight, bias)


def _antisymmetric(p: Parameters) -> Tensor:
    return p["weight_hh"] - p["weight_hh"].t()


def _one(h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
    return h, (h,)


def _two(h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    return h, (h, c)


def _mix(gate: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return gate * new + (1 - gate) * old


@_cell("AntisymmetricRNN")
def _(p, x, h):
    return _one(h + tanh(x + linear(h, _antisymmetric(p), p["bias_hh"])))


@_cell("GatedAntisymmetricRNN", ih=2)
def _(p, x, h):
    z, n = x.chunk(2, -1)
    product = linear(h, _antisymmetric(p))
    return _one(h + sigmoid(z + product) * tanh(n + product + p["bias_hh"]))


@_cell("ATR")
def _(p, x, h):
    q = _hh(p, h)
    return _one(sigmoid(x + q) * x + sigmoid(x - q) * h)


@_cell("BR", ih=3, hh=2, weight_hh="2H")
def _(p, x, h):
    (w1, w2), (b1, b2), (x1, x2, x3) = p["weight_hh"].chunk(2), p["bias_hh"].chunk(2), x.chunk(3, -1)
    return _one(_mix(sigmoid(x2 + w2 * h + b2), h, tanh(x3 + (1 + tanh(x1 + w1 * h + b1)) * h)))


@_cell("NBR", ih=3, hh=2)
def _(p, x, h):
    (x1, x2, x3), (h1, h2) = x.chunk(3, -1), _hh(p, h).chunk(2, -1)
    return _one(_mix(sigmoid(x2 + h2), h, tanh(x3 + (1 + tanh(x1 + h1)) * h)))


@_cell("CFN", ih=3, hh=2)
def _(p, x, h):
    (x1, x2, x3), (h1, h2) = x.chunk(3, -1), _hh(p, h).chunk(2, -1)
    return _one(sigmoid(x1 + h1) * tanh(h) + sigmoid(x2 + h2) * tanh(x3))


@_cell("coRNN", State=MemoryState, weight_ch="H H", bias_ch="H")
def _(p, x, h, c):
    c = c + 0.1 * tanh(x + _hh(p, h) + _hh(p, c, name="ch")) - 0.1 * h - 0.1 * c
    return _two(h + 0.1 * c, c)


@_cell("FastRNN", alpha="1", beta="1")
def _(p, x, h):
    return _one(sigmoid(p["alpha"]) * tanh(x + _hh(p, h)) + sigmoid(p["beta"]) * h)


def _without_bias(p: Parameters, x: Tensor) -> Tensor:
    return linear(x, p["weight_ih"])


@_cell("FastGRNN", bias_ih="2H", bias_hh="2H", zeta="1", nu="1", project=_without_bias)
def _(p, x, h):
    shared, (b1, b2) = x + linear(h, p["weight_hh"]), (p["bias_ih"] + p["bias_hh"]).chunk(2)
    z = tanh(shared + b1)
    return _one((sigmoid(p["zeta"]) * (1 - z) + sigmoid(p["nu"])) * tanh(shared + b2) + z * h)


@_cell("IndRNN", hh=0, vector_u="H", bias_hh="H")
def _(p, x, h):
    return _one(tanh(x + p["vector_u"] * h + p["bias_hh"]))


@_cell("IntersectionRNN", ih=4, hh=4, project=_inputs_too, follows=False)
def _(p, x, h):
    H = h.shape[-1]
    gates, x = x[..., : 4 * H] + _hh(p, h), x[..., 4 * H :]
    y, n, to_y, to_h = gates.chunk(4, -1)
    return _mix(sigmoid(to_y), x, torch.relu(y)), (_mix(sigmoid(to_h), h, tanh(n)),)


@_cell("JANET", ih=2, hh=2, State=MemoryState, beta="1")
def _(p, x, h, c):
    s, n = (x + _hh(p, h)).chunk(2, -1)
    c = sigmoid(s) * c + (1 - sigmoid(s - p["beta"])) * tanh(n)
    return _two(c, c)


@_cell("LEM", ih=4, hh=3, State=MemoryState, weight_ch="H H", bias_ch="H")
def _(p, x, h, c):
    (x1, x2, x3, x4), (h1, h2, h3) = x.chunk(4, -1), _hh(p, h).chunk(3, -1)
    return _two(_mix(sigmoid(x1 + h1), tanh(x4 + _hh(p, c, name="ch")), h), _mix(sigmoid(x2 + h2), tanh(x3 + h3), c))


@_cell("LightRU", ih=2)
def _(p, x, h):
    n, f = x.chunk(2, -1)
    return _one(_mix(sigmoid(f + _hh(p, h)), tanh(n), h))


@_cell("LiGRU", ih=2, hh=2)
def _(p, x, h):
    z, n = (x + _hh(p, h)).chunk(2, -1)
    return _one(_mix(sigmoid(z), h, torch.relu(n)))


@_cell("MCLSTM", ih=5, hh=5, State=_Three, follows=False)
def _(p, x, v, c):
    f, i, o, m, n = (x + _hh(p, v)).chunk(5, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(n)
    return sigmoid(o) * tanh(c), (sigmoid(m) * tanh(c), c)


@_cell("MGU", ih=2, hh=2)
def _(p, x, h):
    xf, xn = x.chunk(2, -1)
    f = sigmoid(xf + _hh(p, h, 0, 2))
    return _one(_mix(f, tanh(xn + _hh(p, f * h, 1, 2)), h))


@_cell("MinimalRNN", weight_mm="H H", project=lambda p, x: linear(tanh(_inputs(p, x)), _with_identity(p["weight_mm"])))
def _(p, x, h):
    z, product = x.chunk(2, -1)
    return _one(_mix(sigmoid(_hh(p, h) + product), h, z))


def _with_identity(weight: Tensor) -> Tensor:
    """A value beside its product."""
    return torch.cat([torch.eye(weight.shape[0], dtype=weight.dtype, device=weight.device), weight])


@_cell("MiRU1", ih=2, hh=2)
def _(p, x, h):
    xr, xn = x.chunk(2, -1)
    return _one(0.5 * h + 0.5 * tanh(xn + _hh(p, sigmoid(xr + _hh(p, h, 0, 2)) * h, 1, 2)))


@_cell("MiRU2")
def _(p, x, h):
    return _one(0.5 * h + 0.5 * tanh(x + _hh(p, 0.5 * h)))


@_cell("MultiplicativeLSTM", ih=5, State=MemoryState, weight_mh="4H H", bias_mh="4H")
def _(p, x, h, c):
    H = h.shape[-1]
    i, f, n, o = (x[..., H:] + _hh(p, x[..., :H] * _hh(p, h), name="mh")).chunk(4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(n)
    return _two(sigmoid(o) * tanh(c), c)


@_cell("MUT1", ih=3, hh=2)
def _(p, x, h):
    z, r, n = x.chunk(3, -1)
    r = sigmoid(r + _hh(p, h, 0, 2))
    return _one(_mix(sigmoid(z), tanh(_hh(p, r * h, 1, 2) + tanh(n)), h))


@_cell("MUT2", ih=3, hh=3)
def _(p, x, h):
    z, r, n = x.chunk(3, -1)
    r = sigmoid(r + _hh(p, h, 1, 3))
    return _one(_mix(sigmoid(z + _hh(p, h, 0, 3)), tanh(n + _hh(p, r * h, 2, 3)), h))


@_cell("MUT3", ih=3, hh=3)
def _(p, x, h):
    z, r, n = x.chunk(3, -1)
    r = sigmoid(r + _hh(p, h, 1, 3))
    return _one(_mix(sigmoid(z + _hh(p, tanh(h), 0, 3)), tanh(n + _hh(p, r * h, 2, 3)), h))


@_cell("NAS", ih=8, hh=8, State=MemoryState)
def _(p, x, h, c):
    g = (x + _hh(p, h)).chunk(8, -1)
    c = tanh(tanh(sigmoid(g[0]) * torch.relu(g[1])) + c) * tanh(sigmoid(g[2]) + torch.relu(g[3]))
    return _two(tanh(c * tanh(tanh(tanh(g[4]) * sigmoid(g[5])) + sigmoid(tanh(g[6]) + sigmoid(g[7])))), c)


@_cell("OriginalLSTM", ih=3, hh=3, State=MemoryState)
def _(p, x, h, c):
    i, n, o = (x + _hh(p, h)).chunk(3, -1)
    c = c + sigmoid(i) * tanh(n)
    return _two(sigmoid(o) * tanh(c), c)


def _peephole(p: Parameters, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """The output gate and the memory."""
    (i, f, n, o), (pi, pf, po) = (x + _hh(p, h)).chunk(4, -1), p["weight_ph"].chunk(3)
    c = sigmoid(f + c * pf) * c + sigmoid(i + c * pi) * tanh(n)
    return sigmoid(o + c * po), c


@_cell("PeepholeLSTM", ih=4, hh=4, State=MemoryState, weight_ph="3H")
def _(p, x, h, c):
    o, c = _peephole(p, x, h, c)
    return _two(o * tanh(c), c)


@_cell(
    "RAN", ih=3, hh=2, bias_ih="2H", State=MemoryState,
    project=lambda p, x: linear(x, p["weight_ih"], F.pad(p["bias_ih"], (p["bias_ih"].shape[0] // 2, 0))),
)  # fmt: skip
def _(p, x, h, c):
    (n, i, f), (hi, hf) = x.chunk(3, -1), _hh(p, h).chunk(2, -1)
    c = sigmoid(i + hi) * n + sigmoid(f + hf) * c
    return _two(tanh(c), c)


def _with_residual(p: Parameters, x: Tensor) -> Tensor:
    return torch.cat([_inputs(p, x), linear(x, p["weight_res"])], -1)


@_cell(
    "ResLSTM", ih=4, hh=4, State=MemoryState, weight_proj="H H", weight_res="H D", weight_ph="3H",
    project=_with_residual,
)  # fmt: skip
def _(p, x, h, c):
    H = h.shape[-1]
    o, c = _peephole(p, x[..., : 4 * H], h, c)
    return _two(o * (linear(tanh(c), p["weight_proj"]) + x[..., 4 * H :]), c)


@_cell("SCRN", ih=2, hh=2, State=MemoryState, weight_ch="2H H", bias_ch="2H", alpha="1")
def _(p, x, h, c):
    x1, x2 = x.chunk(2, -1)
    c = (1 - p["alpha"]) * x1 + p["alpha"] * c
    c1, c2 = _hh(p, c, name="ch").chunk(2, -1)
    return _two(tanh(_hh(p, sigmoid(x2 + _hh(p, h, 0, 2) + c1), 1, 2) + c2), c)


@_cell("SGRN")
def _(p, x, h):
    f = sigmoid(x + _hh(p, h))
    return _one(tanh((1 - f) * x + f * h))


@_cell("SGU", ih=2, hh=2)
def _(p, x, h):
    g, z = x.chunk(2, -1)
    n = F.softplus(tanh(_hh(p, g * h, 0, 2)) * h)
    return _one(_mix(F.hardsigmoid(z + _hh(p, h, 1, 2)), n, h))


@_cell("DSGU", ih=2, hh=2, weight_ho="H H")
def _(p, x, h):
    g, z = x.chunk(2, -1)
    n = sigmoid(linear(tanh(_hh(p, g * h, 0, 2)) * h, p["weight_ho"]))
    return _one(_mix(F.hardsigmoid(z + _hh(p, h, 1, 2)), n, h))


@_cell("STAR", ih=2)
def _(p, x, h):
    n, i = x.chunk(2, -1)
    return _one(tanh(_mix(sigmoid(i + _hh(p, h)), tanh(n), h)))


class _Delayed(NamedTuple):
    h: Tensor
    before: Tensor


@_cell("tauGRU", ih=4, hh=4, State=_Delayed)
def _(p, x, h, before):
    xu, xz, xg, xa = x.chunk(4, -1)
    u, z = tanh(xu + _hh(p, h, 0, 4)), tanh(xz + _hh(p, before, 1, 4))
    return _two(_mix(sigmoid(xg + _hh(p, h, 2, 4)), u + sigmoid(xa + _hh(p, h, 3, 4)) * z, h), h)


@_cell("TRNN", ih=2, hh=0)
def _(p, x, h):
    n, f = x.chunk(2, -1)
    return _one(_mix(sigmoid(f), h, n))


class _WithInput(NamedTuple):
    h: Tensor
    x: Tensor


@_cell("TGRU", ih=3, hh=3, weight_hh="3H D", State=_WithInput, sizes="H D", project=_inputs_too)
def _(p, x, h, before):
    H = 3 * h.shape[-1]
    n, f, o = (x[..., :H] + _hh(p, before)).chunk(3, -1)
    return _two(sigmoid(f) * h + n * tanh(o), x[..., H:])


class _MemoryWithInput(NamedTuple):
    c: Tensor
    x: Tensor


@_cell(
    "TLSTM", ih=3, hh=3, weight_hh="3H D", State=_MemoryWithInput, sizes="H D", project=_inputs_too, follows=False
)  # fmt: skip
def _(p, x, c, before):
    H = 3 * c.shape[-1]
    n, f, o = (x[..., :H] + _hh(p, before)).chunk(3, -1)
    c = _mix(sigmoid(f), c, n)
    return c * tanh(o), (c, x[..., H:])


@_cell("UGRNN", ih=2, hh=2)
def _(p, x, h):
    n, z = (x + _hh(p, h)).chunk(2, -1)
    return _one(_mix(sigmoid(z), h, tanh(n)))


@_cell("UnICORNN", hh=0, weight_hh="H", weight_ch="H", State=MemoryState)
def _(p, x, h, c):
    rate = 0.1 * sigmoid(p["weight_ch"])
    c = c - rate * tanh(x + p["weight_hh"] * h)
    return _two(h + rate * c, c)


@_cell("WMCLSTM", ih=4, hh=4, State=MemoryState, weight_mh="3H H", bias_mh="3H")
def _(p, x, h, c):
    i, f, n, o = (x + _hh(p, h)).chunk(4, -1)
    mi, mf = tanh(_hh(p, c, 0, 3, "mh")), tanh(_hh(p, c, 1, 3, "mh"))
    c = sigmoid(f + mf) * c + sigmoid(i + mi) * tanh(n)
    return _two(sigmoid(o + tanh(_hh(p, c, 2, 3, "mh"))) * tanh(c), c)
