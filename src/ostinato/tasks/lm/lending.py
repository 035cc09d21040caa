"""What a language model lends to models of other tasks."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ostinato.tasks.lending import Lent
from ostinato.tasks.lm.model import LanguageModel


def lending(config: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes and cell, and how the vocabulary was learned. A last layer of a width of its own, as tied weights have
    it, is made for the next word: the layers below it are lent."""
    model, options = config["model"], config["options"]
    apart = model.get("last_size") not in (None, model["hidden_size"])
    return {
        "cell": model["cell"],
        "layers": model["num_layers"] - apart,
        "hidden": model["hidden_size"],
        "embed": model["embed_size"],
        "cell_options": tuple(options.get("cell_options", ())),
        "level": options["level"],
        "vocab_size": options.get("vocab_size"),
    }


def lend(codec: Any, model: nn.Module) -> Lent:
    """Vocabulary, embedding, layers."""
    assert isinstance(model, LanguageModel)
    return Lent(codec, model.embedding.weight.detach(), model.recurrent)
