"""What a language model lends to models of other tasks."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ostinato.core.errors import ConfigError
from ostinato.tasks.lending import Lent
from ostinato.tasks.lm.model import LanguageModel


def lending(config: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes and cell, and how the vocabulary was learned."""
    model, options = config["model"], config["options"]
    if model.get("last_size") not in (None, model["hidden_size"]):
        raise ConfigError(
            f"--from: the last layer of this language model has {model['last_size']} units and the others "
            f"{model['hidden_size']}: expected layers of one size; train it without --tied, or with --embed "
            f"{model['hidden_size']}"
        )
    return {
        "cell": model["cell"],
        "layers": model["num_layers"],
        "hidden": model["hidden_size"],
        "embed": model["embed_size"],
        "cell_options": tuple(options.get("cell_options", ())),
        "level": options["level"],
        "vocab_size": options.get("vocab_size"),
    }


def lend(codec: Any, model: nn.Module) -> Lent:
    """Vocabulary, embedding, layers, output layer."""
    assert isinstance(model, LanguageModel)
    decoder = model.decoder
    output = (decoder.weight.detach(), decoder.bias.detach()) if isinstance(decoder, nn.Linear) else None
    return Lent(codec, model.embedding.weight.detach(), model.recurrent, output)
