"""A classifier of another program as a run."""

from typing import Any

import numpy as np

from ostinato.config.commands import Import
from ostinato.core.errors import ConfigError
from ostinato.data.labelled.reading import MAX_LENGTH, LabelledColumns, SequenceCodec
from ostinato.data.labelled.sequences import Scale
from ostinato.interop.assembling import Assembled, assemble
from ostinato.interop.layouts import Array
from ostinato.interop.parts import Found
from ostinato.interop.vocabulary import Words, names_of, words_of
from ostinato.tasks.contract import Adopted
from ostinato.tasks.sequence_data import recorded

#: What stands between the labels of an example where each is told by itself.
SEPARATOR = ";"

#: The options of `import` that are used here.
USED = frozenset({"vocabulary", "text", "level", "eos", "unk", "labels", "pooling"})


def adopt(found: Found, asked: Import) -> Adopted:
    """Embedding or features as they are, recurrent layers, pooling, and an output for each label."""
    model = assemble(found, asked.cell)
    output, bias = _outputs(model)
    labels = names_of(asked.labels, len(output))
    weights = {"output.weight": output, "output.bias": bias}
    weights |= {f"recurrent.{name}": array for name, array in model.stack.weights.items()}
    if model.last is not None:
        raise ConfigError(f"{found.source}: {model.last.name} has a width of its own ({model.last.said()}): a "
                          "classifier's layers are alike")  # fmt: skip
    words = None
    if model.embedding is not None:
        words = words_of(len(model.embedding), vocabulary=asked.vocabulary, texts=asked.text, level=asked.level,
                         eos=asked.eos, unk=asked.unk)  # fmt: skip
        weights["input.weight"] = words.vectors(model.embedding)
    reads = _reads(model, words, asked)
    config = {"model": _sizes(model, words, asked, len(output)), "classes": labels, **recorded(reads)}
    files = {} if words is None else {"tokenizer.json": words.tokenizer.to_json().encode()}
    data = {"examples": 0}, {"held_out": False, "validated": True}
    return Adopted(config, data, _options(model, words, asked, reads), files, weights)


def _outputs(model: Assembled) -> tuple[Array, Array]:
    """Of a single sigmoid, the scores of "no" and "yes" by a softmax: zero, and what the sigmoid is of."""
    output, bias = model.output.weight, model.output_bias
    if len(output) > 1:
        return output, bias
    return np.concatenate([np.zeros_like(output), output]), np.concatenate([np.zeros_like(bias), bias])


def _reads(model: Assembled, words: Words | None, asked: Import) -> SequenceCodec:
    """Columns `text` and `label` of texts; of numbers `x1` and on, an `id` and a `label`, unscaled."""
    several = SEPARATOR if model.output.activation == "sigmoid" and model.outputs > 1 else None
    if words is not None:
        columns = LabelledColumns(label="label", text="text", several=several)
        return SequenceCodec(columns, MAX_LENGTH[words.tokenizer.level], words.tokenizer)
    D = model.stack.input_size
    names = tuple(f"x{number + 1}" for number in range(D))
    columns = LabelledColumns(label="label", id="id", values=names, several=several)
    return SequenceCodec(columns, None, scale=Scale((0.0,) * D, (1.0,) * D))


def _sizes(model: Assembled, words: Words | None, asked: Import, classes: int) -> dict[str, Any]:
    """Arguments of `ManyToOne`."""
    if words is None:
        reads: dict[str, Any] = {"features": model.stack.input_size, "embed_size": None}
    else:
        reads = {"vocab_size": words.tokenizer.size, "embed_size": model.stack.input_size}
    return {
        "classes": classes,
        **reads,
        "bidirectional": model.stack.directions == 2,
        "pooling": _pooling(model, asked),
        "word_dropout": 0.0,
        **model.layer_settings(),
    }


def _pooling(model: Assembled, asked: Import) -> str:
    if asked.pooling is not None and model.pooling not in (None, asked.pooling):
        raise ConfigError(f"--pooling {asked.pooling}: the file says {model.pooling}")
    return asked.pooling or model.pooling or "last"


def _options(model: Assembled, words: Words | None, asked: Import, reads: SequenceCodec) -> dict[str, Any]:
    own = model.train_options() | {"bidirectional": model.stack.directions == 2, "pooling": _pooling(model, asked)}
    own["multi_label"] = reads.columns.several
    if words is None:
        return own | {"values": ",".join(reads.columns.values), "id": "id", "label": "label"}
    return own | {"level": words.tokenizer.level, "text": "text", "label": "label"}
