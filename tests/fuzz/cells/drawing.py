"""Draws random cells: lines over values that are there, of 3 to 25 operations."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from tests.fuzz.cells.programs import Line, Program, Shape, size

# Of any value, its shape kept; none of them far from where the numbers are.
_POINTWISE = (
    *("{0}.tanh()", "torch.sigmoid({0})", "torch.relu({0})", "F.leaky_relu({0}, 0.2)", "F.elu({0})", "F.gelu({0})"),
    *('F.gelu({0}, approximate="tanh")', "F.silu({0})", "F.softplus({0})", "F.softplus({0}, 2.0)", "F.softsign({0})"),
    *("F.hardtanh({0})", "F.hardsigmoid({0})", "torch.erf({0})", "{0}.sin()", "torch.cos({0})", "{0}.abs()", "-{0}"),
    *("{0}.clamp(max=2).exp()", "torch.log({0} * {0} + 0.5)", "({0}.abs() + 0.1).sqrt()", "F.selu({0})"),
    *("({0} * {0} + 0.5).pow(1.7)", "{0}.clamp(-2, 2) ** 2", "{0}.clamp(-0.5, 0.8)", "{0}.clamp(min=-0.3)"),
    *("1 / (1 + {0} * {0})", "1 - {0}", "{0} * 0.7", "{0} / 3", "0.5 + {0}", "torch.expm1({0}.clamp(max=1))"),
    *("torch.log1p({0}.abs())", "F.logsigmoid({0})", "torch.where({0} > 0.1, {0}, {0} * 0.3)", "F.hardswish({0})"),
    *("{0}.detach() * 0.5 + {0}", "({0} <= 0.2).to({0}) * {0}", "{0} + torch.full_like({0}, 0.25)", "F.mish({0})"),
    *("{0} * torch.ones_like({0})", "torch.exp2({0}.clamp(-2, 2))", "{0}.square().clamp(max=4)", "F.tanhshrink({0})"),
    *("({0}.abs() + 0.5).reciprocal()", "({0}.abs() + 0.5).rsqrt()", "{0}.sign() * 0.1 + {0}", "F.celu({0}, 0.7)"),
)
# Of two values of one shape, or of shapes that are broadcast.
_OF_TWO = (
    *("{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} * {1}", "torch.maximum({0}, {1})", "torch.minimum({0}, {1})"),
    *("torch.where({0} > {1}, {0}, {1} * 0.5)", "{0} / (1 + {1} * {1})", "torch.lerp({0}, {1}, 0.3)"),
    *("torch.sigmoid({0}) * {1}", "torch.addcmul({0}, {1}, {1}, value=0.3)", "torch.add({0}, {1}, alpha=-0.4)"),
    *("({0} < {1}) * {0}", "torch.lerp({0}, {1}, torch.sigmoid({0}))", "(1.2 + {0}.tanh()) ** {1}.clamp(-2, 2)"),
    "torch.where(({0} > 0) & ({1} > 0), {0}, {1})",
)
# Over the last dimension: those that keep the shape, and those that leave one number.
_NORMALISING = (
    *("torch.softmax({0}, -1)", "torch.log_softmax({0}, -1)", "{0} - {0}.mean(-1, keepdim=True)"),
    "{0} / (1 + {0}.norm(dim=-1, keepdim=True))",
)
_REDUCING = (
    *("{0}.sum(-1, keepdim=True)", "{0}.mean(-1, keepdim=True)", "{0}.amax(-1, keepdim=True)"),
    *("{0}.max(-1, keepdim=True).values", "{0}.amin(-1, keepdim=True)", "torch.logsumexp({0}, -1, keepdim=True)"),
    "({0}.var(-1, keepdim=True, unbiased=False) + 0.1).sqrt()",
)
# What a field becomes, of a value and of itself: within bounds.
_KEEPING = ("torch.tanh({0})", "0.6 * {1} + 0.4 * {0}.clamp(-3, 3)", "torch.lerp({1}, {0}.tanh(), 0.3)")
_WIDTHS = (1, 2, 3, 4, 5, 6, 8, 12, 15, 16, 17, 24, 31, 33, 40)


class _Drawer:
    """Lines of one function, drawn one after the other."""

    def __init__(self, rng: random.Random, prefix: str, shapes: Mapping[str, Shape]) -> None:
        self.rng, self.prefix = rng, prefix
        self.shapes = dict(shapes)
        self.lines: list[Line] = []
        self.unused = set(shapes)

    def add(self, text: str, args: Sequence[str], shape: Shape, **parameters: Shape) -> str:
        name = f"{self.prefix}{len(self.lines)}"
        self.lines.append(Line(name, text, tuple(args), shape, parameters))
        self.shapes[name] = shape
        self.unused -= set(args)
        self.unused.add(name)
        return name

    def parameter(self) -> str:
        return f"{self.prefix}w{len(self.lines)}"

    def pick(self, dims: int = 0) -> str:
        """A value, of one or two dimensions where that is asked for; one that nobody uses yet more often."""
        found = [name for name, shape in self.shapes.items() if dims in (0, len(shape))]
        if not found:
            return self.flat(self.pick()) if dims == 1 else self.heads()
        waiting = sorted(self.unused & set(found))
        return self.rng.choice(waiting if waiting and self.rng.random() < 0.7 else found)

    def flat(self, name: str) -> str:
        shape = self.shapes[name]
        return name if len(shape) == 1 else self.add("{0}.flatten(-2)", [name], (size(shape),))

    def heads(self) -> str:
        """A value of two dimensions."""
        name = self.pick(1)
        width = self.shapes[name][0]
        counts = [count for count in (2, 3, 4) if width % count == 0]
        if not counts:
            A, B = self.rng.choice((2, 3)), self.rng.choice((1, 2, 4, 5, 17))
            name, counts, width = self.product((A * B,), name), [A], A * B
        A = self.rng.choice(counts)
        return self.add(f"{{0}}.unflatten(-1, ({A}, {width // A}))", [name], (A, width // A))

    def operation(self) -> None:
        kinds = {
            self.pointwise: 7, self.of_two: 6, self.product: 3, self.blocks: 1, self.part: 2, self.joined: 1.5,
            self.heads: 1, self.reduced: 2, self.normed: 1, self.scaled: 2, self.over_heads: 1, self.stacked: 0.5,
        }  # fmt: skip
        self.rng.choices(list(kinds), list(kinds.values()))[0]()

    def pointwise(self) -> str:
        name = self.pick()
        return self.add(self.rng.choice(_POINTWISE), [name], self.shapes[name])

    def of_two(self) -> str:
        first = self.pick()
        shape = self.shapes[first]
        fits = [name for name, other in self.shapes.items() if _broadcast(shape, other) and name != first]
        second = self.rng.choice(fits) if fits and self.rng.random() < 0.8 else self.like(shape)
        pair = [first, second]
        if self.shapes[second] == shape and self.rng.random() < 0.5:
            pair.reverse()
        return self.add(self.rng.choice(_OF_TWO), pair, shape)

    def like(self, shape: Shape) -> str:
        """A new value of that shape."""
        made = self.product((size(shape),))
        return made if len(shape) == 1 else self.add(f"{{0}}.unflatten(-1, {shape})", [made], shape)

    def product(self, shape: Shape = (), name: str = "") -> str:
        name = name or self.flat(self.pick())
        K, M, w = self.shapes[name][0], (shape or (self.rng.choice(_WIDTHS),))[0], self.parameter()
        kind = self.rng.choice(("whole", "whole", "bias", "rows", "columns", "untransposed", "made"))
        if kind == "bias":
            return self.add(f'F.linear({{0}}, p["{w}"], p["{w}b"])', [name], (M,), **{w: (M, K), f"{w}b": (M,)})
        if kind == "rows":
            return self.add(f'F.linear({{0}}, p["{w}"][2:{2 + M}])', [name], (M,), **{w: (M + 3, K)})
        if kind == "columns":
            return self.add(f'{{0}} @ p["{w}"][:, 1:{1 + K}].t()', [name], (M,), **{w: (M, K + 2)})
        if kind == "untransposed":
            return self.add(f'{{0}} @ p["{w}"]', [name], (M,), **{w: (K, M)})
        if kind == "made":
            return self.add(f'F.linear({{0}}, p["{w}"] - p["{w}"].tanh() * 0.5)', [name], (M,), **{w: (M, K)})
        return self.add(f'F.linear({{0}}, p["{w}"])', [name], (M,), **{w: (M, K)})

    def blocks(self) -> str:
        """A block-diagonal product."""
        name, w = self.pick(2), self.parameter()
        (A, K), M = self.shapes[name], self.rng.choice((1, 2, 3, 5, 16, 18))
        return self.add(f'torch.einsum("...hk,hkj->...hj", {{0}}, p["{w}"])', [name], (A, M), **{w: (A, K, M)})

    def part(self) -> str:
        name = self.pick()
        *rest, width = self.shapes[name]
        parts = [count for count in (2, 3, 4) if width % count == 0]
        kind = self.rng.random()
        if parts and kind < 0.4:
            count = self.rng.choice(parts)
            text = f"{{0}}.chunk({count}, -1)[{self.rng.randrange(count)}]"
            return self.add(text, [name], (*rest, width // count))
        if len(rest) == 1 and kind < 0.6:
            return self.add(f"{{0}}[..., {self.rng.randrange(rest[0])}, :]", [name], (width,))
        begin = self.rng.randrange(width)
        end = self.rng.randint(begin + 1, width)
        return self.add(f"{{0}}[..., {begin}:{end}]", [name], (*rest, end - begin))

    def joined(self) -> str:
        first = self.pick()
        rest = list(self.shapes[first][:-1])
        others = [name for name, shape in self.shapes.items() if list(shape[:-1]) == rest]
        chosen = [first, *self.rng.choices(others, k=self.rng.choice((1, 1, 2)))]
        total = sum(self.shapes[name][-1] for name in chosen)
        if total > 100:
            return first
        names = ", ".join(f"{{{index}}}" for index in range(len(chosen)))
        return self.add(f"torch.cat([{names}], -1)", chosen, (*rest, total))

    def stacked(self) -> str:
        first = self.pick(1)
        others = [name for name, shape in self.shapes.items() if shape == self.shapes[first]]
        text = "torch.stack([{0}, {1}], -2)"
        return self.add(text, [first, self.rng.choice(others)], (2, *self.shapes[first]))

    def reduced(self) -> str:
        name = self.pick()
        text = self.rng.choice((*_NORMALISING, *_REDUCING))
        *rest, width = self.shapes[name]
        return self.add(text, [name], (*rest, width if text in _NORMALISING else 1))

    def unit(self) -> str:
        """By a weight of each unit."""
        name, w = self.pick(), self.parameter()
        return self.add(f'{{0}} * p["{w}"]', [name], self.shapes[name], **{w: self.shapes[name]})

    def over_heads(self) -> str:
        name = self.pick(2)
        A, B = self.shapes[name]
        options: list[tuple[str, Shape]] = [
            ("{0}.mean(-2)", (B,)), ("{0}.sum(-2, keepdim=True)", (1, B)), ("torch.softmax({0}, -2)", (A, B)),
            ("{0}.amax(-2)", (B,)), ("{0}.mean((-2, -1)).unsqueeze(-1)", (1,)), ("{0}.flatten(-2)", (A * B,)),
            ("{0}.sum(-1)", (A,)),
        ]  # fmt: skip
        text, shape = self.rng.choice(options)
        return self.add(text, [name], shape)

    def normed(self) -> str:
        name, w = self.pick(), self.parameter()
        shape = self.shapes[name]
        B = shape[-1]
        kind = self.rng.choice(("layer", "layer plain", "rms", "rms plain"))
        if B == 1:  # a row of one number is nothing but eps
            return self.pointwise()
        if kind == "layer":
            text = f'F.layer_norm({{0}}, ({B},), p["{w}"], p["{w}b"], 1e-2)'
            return self.add(text, [name], shape, **{w: (B,), f"{w}b": (B,)})
        if kind == "layer plain":
            return self.add(f"F.layer_norm({{0}}, ({B},), eps=1e-2)", [name], shape)
        if kind == "rms":
            return self.add(f'F.rms_norm({{0}}, ({B},), p["{w}"], 1e-2)', [name], shape, **{w: (B,)})
        return self.add(f"F.rms_norm({{0}}, ({B},), eps=1e-2)", [name], shape)

    def scaled(self) -> str:
        """By a parameter: of a unit, of a head, or one number."""
        name, w = self.pick(), self.parameter()
        shape = self.shapes[name]
        own: Shape = self.rng.choice([shape, shape[-1:], (), (*shape[:-1], 1)])
        sign = self.rng.choice(("*", "+", "-"))
        made = self.rng.choice((f'p["{w}"]', f'p["{w}"]', f'torch.sigmoid(p["{w}"])', f'(1 - p["{w}"])'))
        return self.add(f"{{0}} {sign} {made}", [name], shape, **{w: own})


def _broadcast(shape: Shape, other: Shape) -> bool:
    """Whether a value of the other shape goes with one of this, whose shape the result has."""
    return len(other) == len(shape) and all(b in (1, a) for a, b in zip(shape, other, strict=True))


def draw(seed: int) -> Program:
    """The cell of a seed."""
    rng = random.Random(f"cell {seed}")
    D = rng.choice((1, 2, 3, 5, 8, 17))
    fields = tuple(_field(rng) for _ in range(rng.choice((1, 1, 1, 2, 2, 3))))
    project = _Drawer(rng, "a", {"x": (D,)})
    kind = rng.choice(("as it is", "linear", "linear", "more", "across steps"))
    projected = "x"
    if kind != "as it is":
        projected = project.product((rng.choice((2, 4, 6, 10, 16, 18, 33, 48)),), "x")
    if kind == "more":
        for _ in range(rng.choice((1, 2))):
            project.operation()
        projected = project.lines[-1].name
    if kind == "across steps":
        shape = project.shapes[projected]
        projected = project.add("{0} + 0.5 * torch.cat([torch.zeros_like({0}[:1]), {0}[:-1]])", [projected], shape)
    names = {f"s{index}": shape for index, shape in enumerate(fields)}
    step = _Drawer(rng, "v", {"projected": project.shapes[projected], **names})
    if rng.random() < 0.3:
        step.add('{0} * p.get("recurrent_mask", 1.0)', ["s0"], fields[0])
    for _ in range(rng.randint(3, 25)):
        step.operation()
    after = tuple(_after(step, index, shape) for index, shape in enumerate(fields))
    read = rng.random() < 0.2
    flat = [name for name in (*after, "projected") if len(step.shapes[name]) == 1]
    output = "" if read else rng.choice(flat) if flat and rng.random() < 0.2 else _output(step)
    readout = _readout(rng, names) if read else ()
    return Program(seed, D, fields, tuple(project.lines), projected, tuple(step.lines), after, output, readout)


def _field(rng: random.Random) -> Shape:
    return (rng.choice(_WIDTHS),) if rng.random() < 0.75 else (rng.choice((2, 3)), rng.choice((1, 2, 4, 5, 17)))


def _after(step: _Drawer, index: int, shape: Shape) -> str:
    """A field after the step, which stays within bounds; at times one that is there already."""
    same = [name for name in step.shapes if step.shapes[name] == shape]
    if same and step.rng.random() < 0.15:
        return step.rng.choice([*same, same[-1]])
    fits = [name for name, other in step.shapes.items() if other == shape and name != f"s{index}"]
    waiting = [name for name in fits if name in step.unused]
    new = not fits or step.rng.random() < (0.05 if waiting else 0.4)
    made = step.like(shape) if new else step.rng.choice(waiting or fits)
    text = step.rng.choice(
        ("torch.tanh({0})", "0.6 * {1} + 0.4 * {0}.clamp(-3, 3)", "torch.lerp({1}, {0}.tanh(), 0.3)")
    )
    return step.add(text, [made, f"s{index}"] if "{1}" in text else [made], shape)


def _output(step: _Drawer) -> str:
    """What nobody uses yet, side by side: most of the lines are then of use."""
    waiting = [step.flat(name) for name in sorted(step.unused - set(step.lines[-1].args))][:6]
    names = ", ".join(f"{{{index}}}" for index in range(len(waiting)))
    return step.add(f"torch.cat([{names}], -1)", waiting, (sum(step.shapes[name][0] for name in waiting),))


def _readout(rng: random.Random, fields: Mapping[str, Shape]) -> tuple[Line, ...]:
    made = _Drawer(rng, "r", fields)
    for _ in range(rng.choice((1, 2))):
        made.operation()
    made.product(name=made.flat(made.pick()))
    return tuple(made.lines)


def draw_gated(seed: int) -> Program:
    """A cell of the fused form, or nearly: gates of one product on either side, and operations on units one by one."""
    rng = random.Random(f"gated cell {seed}")
    H, G, D = rng.choice(_WIDTHS), rng.choice((1, 2, 3, 4)), rng.choice((1, 3, 8, 17))
    fields: tuple[Shape, ...] = ((H,),) * rng.choice((1, 2))
    project = _Drawer(rng, "a", {"x": (D,)})
    projected = project.product((G * H,), project.part() if rng.random() < 0.1 else "x")
    step = _Drawer(rng, "v", {"projected": (G * H,), **{f"s{index}": shape for index, shape in enumerate(fields)}})
    masked = step.add('{0} * p.get("recurrent_mask", 1.0)', ["s0"], (H,)) if rng.random() < 0.5 else "s0"
    sums = [step.product((G * H,), masked)]
    if rng.random() < 0.7:
        sums = [step.add("{0} + {1}", ["projected", sums[0]], (G * H,))]
    else:
        sums.append("projected")
    gates = [step.add(f"{{0}}[..., {i * H}:{i * H + H}]", [name], (H,)) for name in sums for i in range(G)]
    step.shapes = dict.fromkeys((*gates, *(f"s{index}" for index in range(len(fields)))), (H,))
    step.unused &= set(step.shapes)
    for _ in range(rng.randint(1, 6)):
        rng.choice((step.pointwise, step.unit))()
    while len(step.unused) > len(fields):
        step.add(rng.choice(_OF_TWO), rng.sample(sorted(step.unused), 2), (H,))
    after = tuple(_after(step, index, shape) for index, shape in enumerate(fields))
    return Program(seed, D, fields, tuple(project.lines), projected, tuple(step.lines), after, after[0])
