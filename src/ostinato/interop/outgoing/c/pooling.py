"""From the outputs of all steps to one vector, while they come or when all are there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from ostinato.interop.outgoing.c.layers import LayerStack
from ostinato.interop.outgoing.c.source import Source


class Pools(Protocol):
    """What says how."""

    @property
    def pooling(self) -> str:
        """ "last", "mean", "max" or "attention"."""

    @property
    def attention(self) -> tuple[Tensor, Tensor, Tensor] | None:
        """W, b and v."""


@dataclass(frozen=True)
class Pooling:
    """C of a pooling.

    Attributes:
        fields: of the struct that it happens in.
        step_locals: declared where a step is added.
        width: of the vector.
        functions: of mathematics.
    """

    kind: str
    stack: LayerStack
    fields: Sequence[str]
    step_locals: Sequence[str]
    width: int
    score: str = ""
    functions: frozenset[str] = field(default_factory=frozenset)

    @property
    def reset(self) -> list[str]:
        """Lines before the first step, of a struct called state."""
        return self.reset_of("state")

    def reset_of(self, room: str) -> list[str]:
        """The same, of one called so."""
        lines = [f"for (int j = 0; j < {self.width}; ++j) {room}->pooled[j] = 0.0f;"]
        return [*lines, *(f"{room}->{name} = 0;" for name in self._numbers)]

    @property
    def _numbers(self) -> Sequence[str]:
        return {"last": (), "mean": ("steps",), "max": ("steps",), "attention": ("steps", "weight", "largest")}[
            self.kind
        ]

    def step(self, row: str, room: str = "state") -> list[str]:
        """Lines that add a step's output."""
        loop = f"for (int j = 0; j < {self.width}; ++j)"
        pooled = f"{room}->pooled[j]"
        if self.kind == "last":
            return [f"{loop} {pooled} = {row}[j];"]
        if self.kind == "mean":
            return [f"{loop} {pooled} += {row}[j];", f"++{room}->steps;"]
        if self.kind == "max":
            return [
                f"{loop} {pooled} = {room}->steps == 0 || {row}[j] > {pooled} ? {row}[j] : {pooled};",
                f"++{room}->steps;",
            ]
        return [
            f"score = {self.score.format(row)};",
            "/* the softmax over all steps, whose largest score is not known yet: the sum shrinks with it */",
            f"shrink = {room}->steps == 0 || score > {room}->largest ? exponential({room}->largest - score) : 1.0f;",
            f"if ({room}->steps == 0) shrink = 0.0f;",
            f"if ({room}->steps == 0 || score > {room}->largest) {room}->largest = score;",
            f"share = exponential(score - {room}->largest);",
            f"{room}->weight = {room}->weight * shrink + share;",
            f"{loop} {pooled} = {pooled} * shrink + share * {row}[j];",
            f"++{room}->steps;",
        ]

    def pooled(self, row: str) -> tuple[str, list[str]]:
        """Where the vector is after the last step, of a struct called state, and lines that make it."""
        return self._finished("state")

    def whole(self) -> tuple[str, list[str]]:
        """The same of all rows of a workspace."""
        room, width = "workspace", self.width
        if self.kind == "last":
            lines, begin = [], 0
            joined = self.stack.merge == "concat"
            if joined:
                for where, own in self.stack.last_output(f"{room}->"):
                    at = f"{begin} + j" if begin else "j"
                    lines.append(f"for (int j = 0; j < {own} && read > 0; ++j) {room}->pooled[{at}] = {where}[j];")
                    begin += own
                return f"{room}->pooled", lines
            half = width // 2  # what two directions became is cut in the middle all the same
            first = "0" if self.stack.directions == ("reverse",) else "read - 1"
            split = half if len(self.stack.directions) == 2 else width
            return f"{room}->pooled", [
                f"for (int j = 0; j < {width} && read > 0; ++j) {room}->pooled[j] = "
                f"{room}->rows[j < {split} ? {first} : 0][j];"
            ]
        lines = [
            "for (int t = 0; t < read; ++t) {",
            *(f"    {line}" for line in self.step(f"{room}->rows[t]", room)),
            "}",
        ]
        where, more = self._finished(room)
        return where, [*lines, *more]

    def _finished(self, room: str) -> tuple[str, list[str]]:
        by = {"mean": f"(float){room}->steps", "attention": f"{room}->weight"}.get(self.kind)
        if by is None:
            return f"{room}->pooled", []
        return "pooled", [
            f"for (int j = 0; j < {self.width}; ++j) pooled[j] = {room}->steps > 0 ? {room}->pooled[j] / {by} : 0.0f;"
        ]

    @property
    def answer_locals(self) -> list[str]:
        """Declared where the answer is made."""
        return [f"float pooled[{self.width}];"] if self.kind in ("mean", "attention") else []


def pooling(parts: Pools, stack: LayerStack, source: Source) -> Pooling:
    """How a model pools; its arrays and functions are added."""
    width, kind = stack.output_size, parts.pooling
    members = [f"float pooled[{width}];", *(["int steps;"] if kind != "last" else [])]
    if kind != "attention" or parts.attention is None:
        return Pooling(kind, stack, members, [], width)
    weight, bias, vector = (tensor.detach().float().numpy() for tensor in parts.attention)
    matrix = source.arrays.matrix("attention_weight", weight)
    start, by = source.arrays.vector("attention_bias", bias), source.arrays.vector("attention_vector", vector.ravel())
    source.code.append(f"""\
/* How much a step weighs: v . tanh(W h + b). */
static float attention(const float *h)
{{
    float hidden[{width}], score = 0.0f;
    multiply({matrix}, {width}, {width}, h, {start}, hidden);
    for (int j = 0; j < {width}; ++j) score += {by}[j] * hyperbolic_tangent(hidden[j]);
    return score;
}}""")
    return Pooling(
        kind, stack, [*members, "float weight;", "float largest;"], ["float score, shrink, share;"], width,
        "attention({})", frozenset({"exponential", "hyperbolic_tangent"}),
    )  # fmt: skip
