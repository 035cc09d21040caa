"""A tagger in C: words, and their characters, in; a tag for each out."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ostinato.interop.outgoing.c.arrays import Arrays, Weights, as_array
from ostinato.interop.outgoing.c.driver import driver
from ostinato.interop.outgoing.c.layers import fields, layer_stack, reset_one, sequence_function
from ostinato.interop.outgoing.c.source import Program, Source
from ostinato.interop.outgoing.c.text import function, indented
from ostinato.interop.outgoing.c.tokens import Tokens, add_characters
from ostinato.layers.recurrent import Recurrent


@dataclass(frozen=True)
class TaggerParts:
    """What C needs of a tagger.

    Attributes:
        about: lines on what it is.
        embedding: `[V, E]`, of words.
        characters: `[C, E']` of characters, and the layer that spells with them; None where nothing is spelled.
        features: `[F, E'']` of each other column.
        recurrent: the layers.
        weight: `[K, O]` of the output layer.
        bias: `[K]`.
        chain: scores of a tag in front `[K]`, of the column's behind the row's `[K, K]`, and at the end `[K]`, such as
            a CRF learns and a scheme of spans forbids; None where each tag is chosen by itself.
        tags: their names.
        known: the characters, from id 1 on.
        spelled: characters that a word is spelled with, at most.
        max_length: words in a sentence that are read together, at most.
    """

    about: Sequence[str]
    embedding: Tensor
    characters: tuple[Tensor, Recurrent] | None
    features: Sequence[Tensor]
    recurrent: Recurrent
    weight: Tensor
    bias: Tensor
    chain: tuple[Tensor, Tensor, Tensor] | None
    tags: Sequence[str]
    known: str
    spelled: int
    max_length: int


def tagger(parts: TaggerParts, name: str, weights: Weights) -> Program:
    """The files of a tagger.

    Raises:
        ConfigError: what C has no form of.
    """
    source = Source(name, list(parts.about), Arrays(weights), rows=True)
    K, (V, E) = len(parts.tags), parts.embedding.shape
    source.define("WORDS", V, "ids of words: tokenizer.json of the run has them, by small letters; 0 is unknown")
    source.define("TAGS", K, "tags")
    source.define("MAX_STEPS", parts.max_length, "words read together; a longer sentence is cut into even pieces")
    source.define("WORKSPACE_BYTES", "sizeof(struct @_workspace)", "bytes of a workspace")
    if parts.features:
        source.define("FEATURES", len(parts.features), "ids beside each word; 0 is unknown")
    source.arrays.strings("@_tags", parts.tags)
    words = source.arrays.matrix("word_embedding", as_array(parts.embedding))
    rows = [f"row_of({words}, words[t], {E}, x);"]
    members: list[str] = []
    if parts.characters is not None:
        members = _spelling(parts, source)
        width = parts.characters[1].output_size
        rows += [
            f"spell(room, characters, counts[t], x + {E});",
            "characters += counts[t];",
        ]
        E += width
    for number, table in enumerate(parts.features):
        matrix = source.arrays.matrix(f"feature_{number}_embedding", as_array(table))
        size = table.shape[1]
        rows.append(f"row_of({matrix}, features[(size_t)t * @@_FEATURES + {number}], {size}, x + {E});")
        E += size
    stack = layer_stack(parts.recurrent, "layer", source)
    widest = max(stack.widest, E)
    backs = [f"uint16_t came_from[@@_MAX_STEPS][{K}];"] if parts.chain is not None else []
    source.add_workspace([
        f"float rows[@@_MAX_STEPS][{widest}];", f"float other[@@_MAX_STEPS][{widest}];",
        "float scores[@@_MAX_STEPS][@@_TAGS]; /* of each word of the last piece, before tags are chosen */",
        *backs, *members, *fields(stack),
    ])  # fmt: skip
    source.code.append(sequence_function(stack, "workspace", widest))
    _choice(parts, source)
    _entry(parts, source, rows, stack.output_size)
    if parts.characters is not None:
        add_characters(Tokens("char", ["", *parts.known], 0), source, "character")
    return Program(name, source.header(f"{name}.h"), source.text(), _driver(parts, name), source.arrays.bytes)


def _spelling(parts: TaggerParts, source: Source) -> list[str]:
    """A function that makes a vector of a word's characters; returns fields of the workspace."""
    assert parts.characters is not None
    table, module = parts.characters
    source.define("CHARACTERS", len(table), "ids of characters; 0 is unknown")
    size = table.shape[1]
    matrix = source.arrays.matrix("character_embedding", as_array(table))
    stack = layer_stack(module, "spelling", source)
    half, most = parts.spelled // 2, parts.spelled
    body = [f"const int read = count > {most} ? {most} : count;", f"float x[{size}];"]
    for step, order in zip(stack.layers[0], ("int k = 0; k < read; ++k", "int k = read - 1; k >= 0; --k"), strict=True):
        first = next(iter(step.fields))
        body += [
            *reset_one(step, f"room->{step.name}"),
            f"for ({order}) {{",
            f"    row_of({matrix}, characters[k < {half} ? k : count - read + k], {size}, x);",
            f"    {step.name}_step(x, &room->{step.name});",
            "}",
            f"for (int j = 0; j < {step.fields[first]}; ++j) *spelled++ = room->{step.name}.{first}[j];",
        ]
    source.code.append(
        "/* A word by its characters, those at both ends where there are many. */\n"
        + function(
            "static void spell(struct @_workspace *room, const int32_t *characters, int count, float *spelled)", body
        )
    )
    return fields(stack)


def _choice(parts: TaggerParts, source: Source) -> None:
    K, head = len(parts.tags), "static void choose(struct @_workspace *room, int length, int32_t *tags)"
    if parts.chain is None:
        body = [
            "for (int t = 0; t < length; ++t) {",
            "    int best = 0;",
            f"    for (int k = 1; k < {K}; ++k) best = room->scores[t][k] > room->scores[t][best] ? k : best;",
            "    tags[t] = best;",
            "}",
        ]
        source.code.append("/* The best tag of each word. */\n" + function(head, body))
        return
    start, between, end = (as_array(part) for part in parts.chain)
    front, behind = source.arrays.vector("chain_start", start), source.arrays.vector("chain_end", end)
    pairs = source.arrays.vector("chain_between", between)
    source.code.append(
        "/* The best tags together: Viterbi's recursion. */\n"
        + function(head, [
            f"float best[{K}], next[{K}];",
            "int tag = 0;",
            f"for (int k = 0; k < {K}; ++k) best[k] = {front}[k] + room->scores[0][k];",
            "for (int t = 1; t < length; ++t) {",
            f"    for (int k = 0; k < {K}; ++k) {{",
            "        int from = 0;",
            f"        float largest = best[0] + {pairs}[k];",
            f"        for (int b = 1; b < {K}; ++b) {{",
            f"            const float score = best[b] + {pairs}[b * {K} + k];",
            "            if (score > largest) {",
            "                largest = score;",
            "                from = b;",
            "            }",
            "        }",
            "        room->came_from[t][k] = (uint16_t)from;",
            "        next[k] = largest + room->scores[t][k];",
            "    }",
            f"    for (int k = 0; k < {K}; ++k) best[k] = next[k];",
            "}",
            f"for (int k = 1; k < {K}; ++k) tag = best[k] + {behind}[k] > best[tag] + {behind}[tag] ? k : tag;",
            "for (int t = length - 1; t >= 0; --t) {",
            "    tags[t] = tag;",
            "    if (t > 0) tag = room->came_from[t][tag];",
            "}",
        ])
    )  # fmt: skip


def _entry(parts: TaggerParts, source: Source, rows: Sequence[str], width: int) -> None:
    output = source.arrays.matrix("output_weight", as_array(parts.weight))
    bias = source.arrays.vector("output_bias", as_array(parts.bias))
    spelled = parts.characters is not None
    given = "const int32_t *words, " + ("const int32_t *characters, const int32_t *counts, " if spelled else "")
    given += "const int32_t *features, " if parts.features else ""
    passed = "words, " + ("characters, counts, " if spelled else "") + ("features, " if parts.features else "")
    source.code.append(
        "/* Tag a sentence that the workspace has room for. */\n"
        + function(
            f"static void tag_piece(struct @_workspace *room, {given}int length, int32_t *tags)",
            [
                "for (int t = 0; t < length; ++t) {",
                "    float *x = room->rows[t];",
                *indented(rows),
                "}",
                "layer_read(room, room->rows, room->other, length);",
                "for (int t = 0; t < length; ++t) {",
                f"    multiply({output}, @@_TAGS, {width}, room->rows[t], {bias}, room->scores[t]);",
                "}",
                "choose(room, length, tags);",
            ],
        )
    )
    head = f"void @_tag(struct @_workspace *room, {given}int length, int32_t *tags)"
    on = ["words += piece;", "tags += piece;"]
    if spelled:
        on = ["for (int t = 0; t < piece; ++t) characters += counts[t];", "counts += piece;", *on]
    if parts.features:
        on.append("features += (size_t)piece * @@_FEATURES;")
    source.code.append(
        function(
            head,
            [
                "int pieces = (length + @@_MAX_STEPS - 1) / @@_MAX_STEPS;",
                "for (; pieces > 0; --pieces) {",
                "    const int piece = (length + pieces - 1) / pieces;",
                f"    tag_piece(room, {passed}piece, tags);",
                *indented(on),
                "    length -= piece;",
                "}",
            ],
        )
    )
    source.declare("extern const char *const @_tags[@@_TAGS];", "The tags, in UTF-8.")
    more = ", the ids of the characters of all of them one behind the other, how many each has" if spelled else ""
    more += ", and @@_FEATURES ids for each" if parts.features else ""
    source.declare(f"{head};", f"Tag a sentence: ids of its words{more}; `tags` are their numbers.")
    source.usage += [
        "static struct @_workspace room;",
        f"@_tag(&room, {passed}length, tags);  // tags[t]: of word t, @_tags[tags[t]] is its name",
    ]


def _driver(parts: TaggerParts, name: str) -> str:
    """What the model takes comes in this order: ids of words, of their characters how many and which, of features."""
    held, passed = ["struct @_workspace room", "int32_t words[MOST], tags[MOST]"], "words, "
    read = ["numbers(words, sizeof words[0], (size_t)length, MOST)"]
    if parts.characters is not None:
        held.append("int32_t all, counts[MOST], characters[32 * MOST]")
        passed += "characters, counts, "
        read += [
            "numbers(counts, sizeof counts[0], (size_t)length, MOST) && numbers(&all, sizeof all, 1, 1)",
            "numbers(characters, sizeof characters[0], (size_t)all, 32 * MOST)",
        ]
    if parts.features:
        held.append("int32_t features[MOST * @@_FEATURES]")
        passed += "features, "
        read.append("numbers(features, sizeof features[0] * @@_FEATURES, (size_t)length, MOST)")
    write = [
        "if (length <= @@_MAX_STEPS) fwrite(room.scores, sizeof room.scores[0], (size_t)length, stdout);",
        "for (int32_t t = 0; t < length; ++t) {",
        "    const float tag = (float)tags[t];",
        "    fwrite(&tag, sizeof tag, 1, stdout);",
        "}",
    ]
    return driver(name, held, read, [f"@_tag(&room, {passed}length, tags);"], write)
