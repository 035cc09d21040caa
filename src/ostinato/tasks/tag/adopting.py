"""A tagger of another program as a run: words by their embedding alone, a softmax over the tags of each."""

from typing import Any

import numpy as np

from ostinato.config.commands import Import
from ostinato.core.errors import DataError
from ostinato.interop.assembling import Assembled, assemble
from ostinato.interop.parts import Found
from ostinato.interop.vocabulary import names_of, tokens_of, unknown_token
from ostinato.tasks.contract import Adopted
from ostinato.tasks.tag.reading import TagVocabulary

#: The options of `import` that are used here.
USED = frozenset({"vocabulary", "text", "unk", "labels"})


def adopt(found: Found, asked: Import) -> Adopted:
    """Embedding, recurrent layers of both directions, and an output for each tag."""
    model = assemble(found, asked.cell)
    _require_tagger(model)
    assert model.embedding is not None
    tags = names_of(asked.labels, model.outputs)
    tokens = tokens_of(len(model.embedding), vocabulary=asked.vocabulary, texts=asked.text, level="word")
    unknown = unknown_token(tokens, asked.unk)
    rows: dict[str, int] = {}  # words are looked up in small letters: one that is so itself comes before others
    for word in sorted(tokens, key=lambda word: (word != word.lower(), tokens[word])):
        if word != unknown:
            rows.setdefault(word.lower(), tokens[word])
    vocabulary = TagVocabulary({word: number for number, word in enumerate(rows, 1)}, "", tuple(tags))
    first = np.zeros_like(model.embedding[0]) if unknown is None else model.embedding[tokens[unknown]]
    weights = {
        "embedding.weight": np.stack([first, *(model.embedding[row] for row in rows.values())]),
        "output.weight": model.output.weight,
        "output.bias": model.output_bias,
    }
    weights |= {f"recurrent.{name}": array for name, array in model.stack.weights.items()}
    config = {
        "model": _sizes(model, len(rows) + 1),
        "tags": tags,
        "characters": "",
        "constrained": False,
        "max_length": 500,
        "columns": {"tags": {"name": None, "index": 1}, "column": None, "word_column": None},
    }
    options = model.train_options() | {"head": "softmax", "char_hidden": 0}
    files = {"tokenizer.json": vocabulary.to_json().encode()}
    return Adopted(config, ({"words": 0}, {"held_out": False}), options, files, weights)


def _sizes(model: Assembled, words: int) -> dict[str, Any]:
    """Arguments of `Tagger`."""
    return {
        "num_words": words,
        "num_characters": 1,
        "num_tags": model.outputs,
        "embed_size": model.stack.input_size,
        "character_embed_size": 1,
        "character_hidden_size": 0,
        "word_dropout": 0.0,
        "head": "softmax",
        **model.layer_settings(),
    }


def _require_tagger(model: Assembled) -> None:
    source, stack = model.found.source, model.stack
    if model.embedding is None:
        raise DataError(f"{source}: no embedding of {stack.input_size} numbers a word for {stack.name}: no tagger")
    if stack.directions != 2 or model.last is not None:
        raise DataError(f"{source}: {stack.name} ({stack.said()}): expected layers of both directions in a tagger")
    if model.pooling is not None:
        raise DataError(f"{source}: makes one vector of all steps ({model.pooling}): a classifier, no tagger")
