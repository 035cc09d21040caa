"""A model of one answer to a whole sequence in C: step by step, or whole where it reads from the end too."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ostinato.interop.outgoing.c.arrays import Arrays, Weights, as_array
from ostinato.interop.outgoing.c.convolutions import convolution
from ostinato.interop.outgoing.c.driver import driver
from ostinato.interop.outgoing.c.features import add_standardise
from ostinato.interop.outgoing.c.layers import LayerStack, fields, layer_stack, reset, sequence_function, step_lines
from ostinato.interop.outgoing.c.pooling import Pooling, pooling
from ostinato.interop.outgoing.c.source import Program, Source
from ostinato.interop.outgoing.c.text import comment, function
from ostinato.interop.outgoing.c.tokens import Tokens, add_tokens
from ostinato.layers.recurrent import Recurrent

#: Steps that a workspace holds where the run sets no limit.
STEPS = 256


@dataclass(frozen=True)
class SequenceParts:
    """What C needs of a model of one answer to each sequence.

    Attributes:
        about: lines on what it is.
        recurrent: the layers.
        pooling: "last", "mean", "max" or "attention".
        weight: `[C, O]` of the output layer.
        bias: `[C]`.
        answer: "softmax", "sigmoid" or "scale".
        names: of the C outputs: labels, or what is measured.
        embedding: `[V, E]`, of tokens.
        linear: `[E, D]` and `[E]`, in front of the layers, of features.
        convolutions: `[C, D, k]` and `[C]` of each in front of the layers, of stride 2 and rectified; of features, and
            read both ways or not, as a whole.
        attention: W `[O, O]`, b `[O]` and v `[O]` of attention pooling.
        tokens: what tokens are.
        mean, deviation: `[D]`, of features.
        target_mean, target_deviation: `[C]`, of "scale".
        max_length: steps kept of a longer sequence, its first and last halves; None for all.
    """

    about: Sequence[str]
    recurrent: Recurrent
    pooling: str
    weight: Tensor
    bias: Tensor
    answer: str
    names: Sequence[str]
    embedding: Tensor | None = None
    linear: tuple[Tensor, Tensor] | None = None
    convolutions: Sequence[tuple[Tensor, Tensor]] = ()
    attention: tuple[Tensor, Tensor, Tensor] | None = None
    tokens: Tokens | None = None
    mean: Sequence[float] = ()
    deviation: Sequence[float] = ()
    target_mean: Sequence[float] = ()
    target_deviation: Sequence[float] = ()
    max_length: int | None = None


def sequence_model(parts: SequenceParts, name: str, weights: Weights) -> Program:
    """The files of a classifier, or of a model of real numbers.

    Raises:
        ConfigError: what C has no form of.
    """
    return _Writer(parts, name, weights).program()


@dataclass
class _Writer:
    parts: SequenceParts
    name: str
    weights: Weights
    inputs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source = Source(self.name, list(self.parts.about), Arrays(self.weights))

    def program(self) -> Program:
        parts, source = self.parts, self.source
        self._answers()
        self._input()
        self.stack: LayerStack = layer_stack(parts.recurrent, "layer", source)
        self.pooled: Pooling = pooling(parts, self.stack, source)
        source.functions |= self.pooled.functions
        if self._streams:
            self._step_by_step()
        else:
            self._whole()
        if parts.tokens is not None:
            add_tokens(parts.tokens, source)
        return Program(self.name, source.header(f"{self.name}.h"), source.text(), self._driver(), source.arrays.bytes)

    # What goes in.

    @property
    def _of_tokens(self) -> bool:
        return self.parts.embedding is not None

    def _input(self) -> None:
        """A function that makes a row of what a step is given."""
        parts, source = self.parts, self.source
        if parts.embedding is not None:
            V, E = parts.embedding.shape
            source.define("TOKENS", V, "tokens of the vocabulary")
            source.rows = True
            self.width, table = E, source.arrays.matrix("embedding", as_array(parts.embedding))
            self.read = f"row_of({table}, {{0}}, {E}, {{1}});"
            return
        self.width = add_standardise(source, parts.mean, parts.deviation, parts.linear)
        self.read = "standardise({0}, {1});"

    # What comes out.

    def _answers(self) -> None:
        parts, source = self.parts, self.source
        if parts.answer == "scale":
            source.define("TARGETS", len(parts.names), "numbers of an answer: " + comment(", ".join(parts.names)))
        else:
            source.define("LABELS", len(parts.names), "labels")
            source.arrays.strings("@_labels", parts.names)
            source.declare("extern const char *const @_labels[@@_LABELS];", "The labels, in UTF-8.")
            source.functions |= {"softmax" if parts.answer == "softmax" else "sigmoid"}

    @property
    def _count(self) -> str:
        return "@@_TARGETS" if self.parts.answer == "scale" else "@@_LABELS"

    @property
    def _said(self) -> tuple[str, str]:
        """The type and the name of what an answer is written to."""
        return ("double", "values") if self.parts.answer == "scale" else ("float", "probabilities")

    def _finish(self, pooled: str) -> list[str]:
        """Lines from the pooled vector to the answer, and what is returned."""
        parts, source = self.parts, self.source
        width, C = parts.weight.shape[1], len(parts.names)
        matrix = source.arrays.matrix("output_weight", as_array(parts.weight))
        bias = source.arrays.vector("output_bias", as_array(parts.bias))
        if parts.answer == "scale":
            mean = source.arrays.doubles("target_mean", parts.target_mean)
            deviation = source.arrays.doubles("target_deviation", parts.target_deviation)
            return [
                f"multiply({matrix}, {C}, {width}, {pooled}, {bias}, scaled);",
                f"for (int k = 0; k < {C}; ++k) values[k] = (double)scaled[k] * {deviation}[k] + {mean}[k];",
            ]
        lines = [f"multiply({matrix}, {C}, {width}, {pooled}, {bias}, probabilities);"]
        if parts.answer == "softmax":
            lines.append(f"softmax(probabilities, {C});")
        else:
            lines.append(f"for (int k = 0; k < {C}; ++k) probabilities[k] = sigmoid(probabilities[k]);")
        return [
            *lines,
            f"for (int k = 1; k < {C}; ++k) best = probabilities[k] > probabilities[best] ? k : best;",
            "return best;",
        ]

    @property
    def _locals(self) -> list[str]:
        return [f"float scaled[{len(self.parts.names)}];"] if self.parts.answer == "scale" else ["int best = 0;"]

    @property
    def _returns(self) -> str:
        return "void" if self.parts.answer == "scale" else "int"

    @property
    def _meaning(self) -> str:
        if self.parts.answer == "scale":
            return "`values`, @@_TARGETS of them, are in the units of the training data."
        each = "each label's" if self.parts.answer == "sigmoid" else "the labels'"
        return f"Returns the number of the best label; `probabilities`, @@_LABELS of them, are {each}."

    # The two ways of reading.

    def _step_by_step(self) -> None:
        source, parts = self.source, self.parts
        kind, what = ("int token", "token") if self._of_tokens else ("const double *features", "features")
        steps, row = step_lines(self.stack, "state->", "x")
        said, answer = self._said
        body = [f"float x[{self.width}];", *self.pooled.step_locals, self.read.format(what, "x"), *steps]
        body += self.pooled.step(row)
        source.stack_bytes += 4 * (self.width + self.stack.output_size)
        members, begun = [*fields(self.stack), *self.pooled.fields], [*reset(self.stack, "state->"), *self.pooled.reset]
        source.add_state(members, begun)
        source.code.append(function(f"void @_step(struct @_state *state, {kind})", body))
        pooled, lines = self.pooled.pooled(row)
        source.code.append(function(
            f"{self._returns} @_answer(const struct @_state *state, {said} *{answer})",
            [*self._locals, *self.pooled.answer_locals, *lines, *self._finish(pooled)],
        ))  # fmt: skip
        given = "a token, from 0 to @@_TOKENS - 1" if self._of_tokens else (
            "a step: @@_FEATURES numbers as they were measured, NAN where one is missing"
        )  # fmt: skip
        limit = f" The run reads no more than {parts.max_length} steps." if parts.max_length else ""
        source.declare(f"void @_step(struct @_state *state, {kind});", f"Read {given}.{limit}")
        source.declare(
            f"{self._returns} @_answer(const struct @_state *state, {said} *{answer});",
            f"The answer to what was read so far. {self._meaning}",
        )
        shown = "labels" if self._returns == "int" else "targets"
        source.usage += [
            "static struct @_state state;",
            f"{said} {answer}[@@_{shown.upper()}];",
            "@_reset(&state);",
            f"@_step(&state, {what});  // for every step of the sequence",
            f"@_answer(&state, {answer});",
        ]

    def _whole(self) -> None:
        source, parts = self.source, self.parts
        most, widest = parts.max_length or STEPS, max(self.stack.widest, self.width)
        widest = max(widest, *(len(bias) for _, bias in parts.convolutions), 0)
        source.define("MAX_STEPS", most, "steps that a workspace holds; of a longer sequence "
                      "the first and the last halves are read")  # fmt: skip
        members = [f"float rows[@@_MAX_STEPS][{widest}];", f"float other[@@_MAX_STEPS][{widest}];"]
        source.add_workspace([*members, *fields(self.stack), *self.pooled.fields])
        source.define("WORKSPACE_BYTES", "sizeof(struct @_workspace)", "bytes of a workspace")
        source.code.append(sequence_function(self.stack, "workspace", widest))
        kind = "const int32_t *tokens" if self._of_tokens else "const double *features"
        given = "tokens[from]" if self._of_tokens else f"features + (size_t)from * {len(parts.mean)}"
        given = f"(int){given}" if self._of_tokens else given
        said, answer = self._said
        steps = self.pooled.reset_of("workspace")
        halved = []
        for number, (weight, bias) in enumerate(parts.convolutions):
            source.code.append(convolution(f"convolution{number}", weight, bias, widest, source))
            halved.append(f"read = convolution{number}(workspace->rows, workspace->other, read);")
        fixed = "" if halved else "const "
        pooled, lines = self.pooled.whole()
        body = [
            *self._locals,
            *self.pooled.answer_locals,
            *self.pooled.step_locals,
            f"{fixed}int read = length > @@_MAX_STEPS ? @@_MAX_STEPS : length;",
            "for (int t = 0; t < read; ++t) {",
            "    const int from = t < (read + 1) / 2 ? t : length - read + t; /* leaves out what is in the middle */",
            f"    {self.read.format(given, 'workspace->rows[t]')}",
            "}",
            *halved,
            "layer_read(workspace, workspace->rows, workspace->other, read);",
            *steps, *lines, *self._finish(pooled),
        ]  # fmt: skip
        head = f"{self._returns} @_answer(struct @_workspace *workspace, {kind}, int length, {said} *{answer})"
        source.code.append(function(head, body))
        elements = "tokens, from 0 to @@_TOKENS - 1" if self._of_tokens else (
            "steps of @@_FEATURES numbers each, as they were measured, NAN where one is missing"
        )  # fmt: skip
        source.declare(f"{head};", f"The answer to a sequence of {elements}. {self._meaning}")
        shown = "LABELS" if self._returns == "int" else "TARGETS"
        source.usage += [
            "static struct @_workspace workspace;",
            f"{said} {answer}[@@_{shown}];",
            f"@_answer(&workspace, {kind.rsplit('*', 1)[1]}, length, {answer});",
        ]

    @property
    def _streams(self) -> bool:
        """Whether a step is read when it comes."""
        return self.stack.streams and not self.parts.convolutions

    def _driver(self) -> str:
        said, _ = self._said
        kind = "int32_t" if self._of_tokens else "double"
        width = "1" if self._of_tokens else "@@_FEATURES"
        if self._streams:
            what = "(int)given[t]" if self._of_tokens else f"given + (size_t)t * {width}"
            run = f"@_reset(&room); for (int32_t t = 0; t < length; ++t) @_step(&room, {what}); @_answer(&room, said);"
            room = "state"
        else:
            run, room = "@_answer(&room, given, (int)length, said);", "workspace"
        return driver(
            self.name,
            [f"struct @_{room} room", f"{said} said[{self._count}]", f"{kind} given[MOST * {width}]"],
            [f"numbers(given, sizeof given[0] * {width}, (size_t)length, MOST)"],
            [run],
            [f"fwrite(said, sizeof said[0], {self._count}, stdout);"],
        )
