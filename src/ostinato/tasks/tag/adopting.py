"""A tagger of another program as a run: words by their embedding alone, a softmax over the tags of each; and what a
tagger takes over of a language model."""

from typing import Any

import numpy as np
from torch import nn

from ostinato.config.commands import Import
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.text.stream_decoder import EOS, UNK
from ostinato.data.text.tokenizer import Tokenizer
from ostinato.interop.assembling import Assembled, assemble
from ostinato.interop.parts import Found
from ostinato.interop.vocabulary import names_of, tokens_of, unknown_token
from ostinato.models.transfer import give_layers, give_rows
from ostinato.tasks.contract import Adopted
from ostinato.tasks.lending import Lent
from ostinato.tasks.tag.codec import TagCodec
from ostinato.tasks.tag.model import UNKNOWN, Tagger
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


#: Options of the language model that its tagger has as well.
BORROWED = frozenset({"cell", "layers", "hidden", "embed", "cell_options"})


def borrow(model: nn.Module, codec: TagCodec, lent: Lent) -> None:
    """The vectors of words, that of unknown ones too, and the layers that read forward; what a tagger reads besides
    counts nothing at first."""
    assert isinstance(model, Tagger)
    words = {UNK: lent.codec.tokenizer.unk_id} | words_of(lent.codec.tokenizer)
    own = {UNK: UNKNOWN} | codec.vocabulary.words
    give_rows(model.embedding.weight, lent.embedding[[*words.values()]], [own[word] for word in words])
    give_layers(model.recurrent, lent.recurrent)


def words_of(tokenizer: Tokenizer) -> dict[str, int]:
    """A language model's words as a tagger looks them up, in small letters, with the model's ids: of words that differ
    in capitals alone the one that has none, or the most frequent.

    Raises:
        ConfigError: it does not read words.
    """
    if tokenizer.level != "word":
        raise ConfigError(
            f"--from: a tagger reads words, and this language model reads by {tokenizer.level}: expected one of "
            "--level word"
        )
    found: dict[str, int] = {}
    for number in range(tokenizer.size):
        word = tokenizer.token(number)
        if word not in (EOS, UNK) and (word.lower() not in found or word == word.lower()):
            found[word.lower()] = number
    return found
