"""Recurrent layers alone in C: step by step, or over whole sequences where they read from the end too."""

from collections.abc import Sequence

from ostinato.interop.outgoing.c.arrays import Arrays, Weights
from ostinato.interop.outgoing.c.driver import driver
from ostinato.interop.outgoing.c.layers import LayerStack, fields, layer_stack, reset, sequence_function, step_lines
from ostinato.interop.outgoing.c.source import Program, Source
from ostinato.interop.outgoing.c.text import function
from ostinato.layers.recurrent import Recurrent

#: Steps that a workspace holds, where the compiler is not told another number.
STEPS = 256


def recurrent_layer(module: Recurrent, about: Sequence[str], name: str, weights: Weights) -> Program:
    """The files of a layer.

    Args:
        module: the layer.
        about: lines on what it is.
        name: begins all names.
        weights: how matrices are kept.

    Raises:
        ConfigError: a cell that C has no form of.
    """
    source = Source(name, list(about), Arrays(weights))
    source.define("INPUTS", module.input_size, "numbers that a step reads")
    source.define("OUTPUTS", module.output_size, "numbers that it gives")
    stack = layer_stack(module, "layer", source)
    room, run = _steps(source, stack) if stack.streams else _whole(source, stack)
    main = driver(
        name,
        [f"struct @_{room} room", "float given[MOST * @@_INPUTS], said[MOST * @@_OUTPUTS]"],
        ["numbers(given, sizeof given[0] * @@_INPUTS, (size_t)length, MOST)"],
        [run],
        ["fwrite(said, sizeof said[0] * @@_OUTPUTS, (size_t)length, stdout);"],
    )
    return Program(name, source.header(f"{name}.h"), source.text(), main, source.arrays.bytes)


def _steps(source: Source, stack: LayerStack) -> tuple[str, str]:
    """The struct that a driver needs, and the line by which it reads a sequence."""
    source.add_state(fields(stack), reset(stack, "state->"))
    lines, output = step_lines(stack, "state->", "x")
    head = "const float *@_step(struct @_state *state, const float *x)"
    source.code.append(function(head, [*lines, f"return {output};"]))
    source.declare(
        f"{head};",
        "Read a step of @@_INPUTS numbers; the @@_OUTPUTS numbers of its output stand in the state until the next.",
    )
    source.usage += [
        "static struct @_state state;",
        "@_reset(&state);",
        "const float *output = @_step(&state, x);  // for every step of the sequence",
    ]
    code = (
        "@_reset(&room); for (int32_t t = 0; t < length; ++t) { const float *output = "
        "@_step(&room, given + (size_t)t * @@_INPUTS); "
        "for (int j = 0; j < @@_OUTPUTS; ++j) said[(size_t)t * @@_OUTPUTS + (size_t)j] = output[j]; }"
    )
    return "state", code


def _whole(source: Source, stack: LayerStack) -> tuple[str, str]:
    source.define("MAX_STEPS", STEPS, "steps that a workspace holds")
    source.define("WORKSPACE_BYTES", "sizeof(struct @_workspace)", "bytes of a workspace")
    widest = stack.widest
    rows = [f"float rows[@@_MAX_STEPS][{widest}];", f"float other[@@_MAX_STEPS][{widest}];"]
    source.add_workspace([*rows, *fields(stack)])
    source.code.append(sequence_function(stack, "workspace", widest))
    head = "int @_run(struct @_workspace *workspace, const float *x, int length, float *output)"
    source.code.append(function(head, [
        "if (length < 0 || length > @@_MAX_STEPS) return -1;",
        "for (int t = 0; t < length; ++t) {",
        "    for (int k = 0; k < @@_INPUTS; ++k) workspace->rows[t][k] = x[(size_t)t * @@_INPUTS + (size_t)k];",
        "}",
        "layer_read(workspace, workspace->rows, workspace->other, length);",
        "for (int t = 0; t < length; ++t) {",
        "    for (int j = 0; j < @@_OUTPUTS; ++j) {",
        "        output[(size_t)t * @@_OUTPUTS + (size_t)j] = workspace->rows[t][j];",
        "    }",
        "}",
        "return 0;",
    ]))  # fmt: skip
    source.declare(
        f"{head};",
        "Read a sequence, @@_INPUTS numbers a step, into `output`, @@_OUTPUTS a step. Returns 0; or -1, having read "
        "nothing, of one longer than @@_MAX_STEPS.",
    )
    source.usage += ["static struct @_workspace workspace;", "@_run(&workspace, x, length, output);"]
    return "workspace", "if (@_run(&room, given, (int)length, said) != 0) return 1;"
