"""A transcriber in C: frames in, symbols out along the best path, frame by frame or of a whole sequence."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ostinato.interop.outgoing.c.arrays import Arrays, Weights, as_array
from ostinato.interop.outgoing.c.driver import driver
from ostinato.interop.outgoing.c.features import add_standardise
from ostinato.interop.outgoing.c.layers import LayerStack, fields, layer_stack, reset, sequence_function, step_lines
from ostinato.interop.outgoing.c.source import Program, Source
from ostinato.interop.outgoing.c.text import function
from ostinato.layers.recurrent import Recurrent

#: Frames that a workspace holds, where the compiler is not told another number.
STEPS = 1024


@dataclass(frozen=True)
class TranscriberParts:
    """What C needs of a transcriber.

    Attributes:
        about: lines on what it is.
        recurrent: the layers.
        weight: `[V + 1, O]` of the output layer.
        bias: `[V + 1]`.
        symbols: `[V]`; class 1 is the first.
        mean: `[D]` of the channels.
        deviation: `[D]`.
    """

    about: Sequence[str]
    recurrent: Recurrent
    weight: Tensor
    bias: Tensor
    symbols: Sequence[str]
    mean: Sequence[float]
    deviation: Sequence[float]


def transcriber(parts: TranscriberParts, name: str, weights: Weights) -> Program:
    """The files of a transcriber.

    Raises:
        ConfigError: a cell that C has no form of.
    """
    source = Source(name, list(parts.about), Arrays(weights))
    C = len(parts.symbols) + 1
    source.define("CLASSES", C, "classes of a frame: 0 says nothing, the others are symbols")
    source.arrays.strings("@_symbols", ["", *parts.symbols])
    source.declare("extern const char *const @_symbols[@@_CLASSES];", "The symbols by class, in UTF-8.")
    width = add_standardise(source, parts.mean, parts.deviation)
    stack = layer_stack(parts.recurrent, "layer", source)
    matrix = source.arrays.matrix("output_weight", as_array(parts.weight))
    bias = source.arrays.vector("output_bias", as_array(parts.bias))
    source.code.append(function(
        "static int best_class(const float *scores)",
        [
            "int best = 0;",
            f"for (int k = 1; k < {C}; ++k) best = scores[k] > scores[best] ? k : best;",
            "return best;",
        ],
    ))  # fmt: skip
    scored = f"multiply({matrix}, {C}, {stack.output_size}, {{0}}, {bias}, {{1}});"
    room, run = _steps(source, stack, width, scored) if stack.streams else _whole(source, stack, width, scored)
    held = [f"struct @_{room} room", "double given[MOST * @@_FEATURES]", "float scores[MOST * @@_CLASSES]"]
    main = driver(
        name,
        [*held, "int32_t symbols[MOST]", "int count"],
        ["numbers(given, sizeof given[0] * @@_FEATURES, (size_t)length, MOST)"],
        [run],
        [
            "fwrite(scores, sizeof scores[0] * @@_CLASSES, (size_t)length, stdout);",
            "for (int k = 0; k < count; ++k) {",
            "    const float symbol = (float)symbols[k];",
            "    fwrite(&symbol, sizeof symbol, 1, stdout);",
            "}",
        ],
    )
    return Program(name, source.header(f"{name}.h"), source.text(), main, source.arrays.bytes)


def _steps(source: Source, stack: LayerStack, width: int, scored: str) -> tuple[str, str]:
    members = [*fields(stack), "int before; /* class of the frame before */"]
    source.add_state(members, [*reset(stack, "state->"), "state->before = 0;"])
    lines, row = step_lines(stack, "state->", "x")
    head = "int @_step(struct @_state *state, const double *features, float *scores)"
    body = [
        f"float x[{width}];",
        "int said, before = state->before;",
        "standardise(features, x);",
        *lines,
        scored.format(row, "scores"),
        "said = best_class(scores);",
        "state->before = said;",
        "return said == before ? 0 : said;",
    ]
    source.stack_bytes += 4 * width
    source.code.append(function(head, body))
    source.declare(
        f"{head};",
        "Read a frame of @@_FEATURES numbers as they were measured, NAN where one is missing; `scores`, @@_CLASSES of "
        "them, are of the frame's classes. Returns the class of a symbol that begins here, or 0.",
    )
    source.usage += [
        "static struct @_state state;",
        "float scores[@@_CLASSES];",
        "@_reset(&state);",
        "int said = @_step(&state, features, scores);  // for every frame: prints @_symbols[said]",
    ]
    run = (
        "count = 0; @_reset(&room); for (int32_t t = 0; t < length; ++t) { "
        "int said = @_step(&room, given + (size_t)t * @@_FEATURES, scores + (size_t)t * @@_CLASSES); "
        "if (said > 0) symbols[count++] = said; }"
    )
    return "state", run


def _whole(source: Source, stack: LayerStack, width: int, scored: str) -> tuple[str, str]:
    widest = max(stack.widest, width)
    source.define("MAX_STEPS", STEPS, "frames that a workspace holds")
    source.define("WORKSPACE_BYTES", "sizeof(struct @_workspace)", "bytes of a workspace")
    rows = [f"float rows[@@_MAX_STEPS][{widest}];", f"float other[@@_MAX_STEPS][{widest}];"]
    source.add_workspace([*rows, *fields(stack)])
    source.code.append(sequence_function(stack, "workspace", widest))
    head = (
        "int @_transcribe(struct @_workspace *workspace, const double *features, int length, float *scores, "
        "int32_t *symbols)"
    )
    source.code.append(function(head, [
        "int count = 0, before = 0;",
        "if (length < 0 || length > @@_MAX_STEPS) return -1;",
        "for (int t = 0; t < length; ++t) standardise(features + (size_t)t * @@_FEATURES, workspace->rows[t]);",
        "layer_read(workspace, workspace->rows, workspace->other, length);",
        "for (int t = 0; t < length; ++t) {",
        "    float *own = scores + (size_t)t * @@_CLASSES;",
        "    int said;",
        f"    {scored.format('workspace->rows[t]', 'own')}",
        "    said = best_class(own);",
        "    if (said != before && said > 0) symbols[count++] = said;",
        "    before = said;",
        "}",
        "return count;",
    ]))  # fmt: skip
    source.declare(
        f"{head};",
        "Read a sequence of frames, @@_FEATURES numbers each as they were measured, NAN where one is missing. "
        "`scores`, @@_CLASSES a frame, are of the frames' classes; `symbols` has room for one a frame. Returns how "
        "many there are; or -1, having read nothing, of more than @@_MAX_STEPS frames.",
    )
    source.usage += [
        "static struct @_workspace workspace;",
        "int count = @_transcribe(&workspace, features, length, scores, symbols);",
    ]
    run = "count = @_transcribe(&room, given, (int)length, scores, symbols); if (count < 0) return 1;"
    return "workspace", run
