"""A language model in C: a token in, the scores of the next one out."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ostinato.interop.outgoing.c.arrays import Arrays, Weights, as_array
from ostinato.interop.outgoing.c.layers import fields, layer_stack, reset, step_lines
from ostinato.interop.outgoing.c.source import Program, Source
from ostinato.interop.outgoing.c.text import function, with_name
from ostinato.interop.outgoing.c.tokens import Tokens, add_tokens
from ostinato.layers.recurrent import Recurrent


@dataclass(frozen=True)
class LanguageModelParts:
    """What C needs of a language model.

    Attributes:
        about: lines on what it is.
        embedding: `[V, E]`.
        stacks: recurrent layers, one `Recurrent` above the other.
        weight: `[V, O]` of the output layer; None where it is the embedding.
        bias: `[V]`.
        begin: the token that a text begins with.
        separator: the token before which the state starts anew; None where it never does.
        tokens: what tokens are.
    """

    about: Sequence[str]
    embedding: Tensor
    stacks: Sequence[Recurrent]
    weight: Tensor | None
    bias: Tensor
    begin: int
    separator: int | None
    tokens: Tokens


def language_model(parts: LanguageModelParts, name: str, weights: Weights) -> Program:
    """The files of a language model.

    Raises:
        ConfigError: what C has no form of.
    """
    V, E = parts.embedding.shape
    source = Source(name, parts.about, Arrays(weights), frozenset({"softmax"}), rows=True)
    source.define("TOKENS", V, "tokens of the vocabulary")
    source.define("BEGIN", parts.begin, "the token in front of a text")
    embedding = source.arrays.matrix("embedding", as_array(parts.embedding))
    stacks = [
        layer_stack(module, which, source) for module, which in zip(parts.stacks, ("layer", "last"), strict=False)
    ]
    output = embedding if parts.weight is None else source.arrays.matrix("output_weight", as_array(parts.weight))
    bias = source.arrays.vector("output_bias", as_array(parts.bias))
    add_tokens(parts.tokens, source)
    x, lines = "x", []
    for stack in stacks:
        own, x = step_lines(stack, "state->", x)
        lines += own
    width = stacks[-1].output_size
    body = [
        f"float x[{E}];",
        *([f"if (token == {parts.separator}) @_reset(state);"] if parts.separator is not None else []),
        f"row_of({embedding}, token, {E}, x);",
        *lines,
        f"multiply({output}, @@_TOKENS, {width}, {x}, {bias}, scores);",
    ]
    source.stack_bytes += 4 * E
    members = [line for stack in stacks for line in fields(stack)]
    source.add_state(members, [line for stack in stacks for line in reset(stack, "state->")], "text")
    source.code += [
        function("void @_step(struct @_state *state, int token, float *scores)", body),
        function("void @_probabilities(float *scores)", ["softmax(scores, @@_TOKENS);"]),
    ]
    source.declare(
        "void @_step(struct @_state *state, int token, float *scores);",
        "Read a token, from 0 to @@_TOKENS - 1; `scores`, @@_TOKENS of them, say which comes next: the higher, the "
        "more probable.",
    )
    source.declare("void @_probabilities(float *scores);", "Scores of a step as probabilities, in place.")
    source.usage += [
        "static struct @_state state;",
        "float scores[@@_TOKENS];",
        "@_reset(&state);",
        "@_step(&state, @@_BEGIN, scores);             // then each token of the text in turn",
        "@_probabilities(scores);                      // scores[k]: that token k comes next",
    ]
    return Program(name, source.header(f"{name}.h"), source.text(), with_name(_DRIVER, name), source.arrays.bytes)


#: Reads, again and again, an int32 length and as many int32 tokens; writes the scores of each step.
_DRIVER = """\
#include "@.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
    static struct @_state state;
    static float scores[@@_TOKENS];
    const long repeats = argc > 1 ? atol(argv[1]) : 0;
    int32_t length, token;
    clock_t begun;
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        @_reset(&state);
        for (int32_t t = 0; t < length; ++t) {
            if (fread(&token, sizeof token, 1, stdin) != 1) return 1;
            @_step(&state, (int)token, scores);
            fwrite(scores, sizeof scores[0], @@_TOKENS, stdout);
        }
    }
    if (repeats < 1) return 0;
    @_reset(&state);
    begun = clock();
    for (long k = 0; k < repeats; ++k) @_step(&state, (int)(k % @@_TOKENS), scores);
    fprintf(stderr, "%.9g\\n", (double)(clock() - begun) / CLOCKS_PER_SEC / (double)repeats);
    return 0;
}
"""
