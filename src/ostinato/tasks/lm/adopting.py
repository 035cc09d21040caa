"""A language model of another program as a run."""

from typing import Any

from ostinato.config.commands import Import
from ostinato.core.errors import DataError
from ostinato.interop.assembling import Assembled, assemble
from ostinato.interop.parts import Found
from ostinato.interop.vocabulary import words_of
from ostinato.tasks.contract import Adopted

#: The options of `import` that are used here.
USED = frozenset({"vocabulary", "text", "level", "eos", "unk"})


def adopt(found: Found, asked: Import) -> Adopted:
    """Embedding, recurrent layers and output layer, the vocabulary in our order."""
    model = assemble(found, asked.cell)
    _require_language_model(model)
    assert model.embedding is not None
    words = words_of(
        model.outputs,
        vocabulary=asked.vocabulary,
        texts=asked.text,
        level=asked.level,
        eos=asked.eos,
        unk=asked.unk,
    )
    weights = {"embedding.weight": words.vectors(model.embedding), "decoder.bias": words.biases(model.output_bias)}
    if not model.tied:
        weights["decoder.weight"] = words.vectors(model.output.weight)
    weights |= {f"recurrent.{name}": array for name, array in model.stack.weights.items()}
    if model.last is not None:
        weights |= {f"last.{name}": array for name, array in model.last.weights.items()}
    tokenizer = words.tokenizer
    config = {"model": _sizes(model, tokenizer.size), "batch": None}
    options = model.train_options() | {"level": tokenizer.level, "tied": model.tied}
    files = {"tokenizer.json": tokenizer.to_json().encode()}
    return Adopted(config, ({"characters": 0}, {"held_out": False}), options, files, weights)


def _sizes(model: Assembled, vocabulary: int) -> dict[str, Any]:
    """Arguments of `LanguageModel`."""
    assert model.embedding is not None
    return {
        "vocab_size": vocabulary,
        "embed_size": model.embedding.shape[1],
        "tied": model.tied,
        "last_size": None if model.last is None else model.last.hidden_size,
        **model.layer_settings(),
    }


def _require_language_model(model: Assembled) -> None:
    source, stack = model.found.source, model.stack
    if model.embedding is None:
        raise DataError(
            f"{source}: no embedding of {stack.input_size} numbers an id for {stack.name}: no language model"
        )
    if len(model.embedding) != model.outputs:
        raise DataError(
            f"{source}: reads {len(model.embedding):,} ids and scores {model.outputs:,}: no language model; --task "
            "classify or tag"
        )
    if stack.directions == 2 or stack.options.get("reverse"):
        raise DataError(f"{source}: {stack.name} reads what is to be predicted ({stack.said()}): no language model")
