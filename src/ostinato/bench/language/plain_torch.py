"""The same language models as a program with torch.nn alone would have them."""

from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.bench.sides.eager import layer_of_torch
from ostinato.core.errors import ConfigError

#: Arguments of `LanguageModel` that are understood here.
_KNOWN = {"vocab_size", "embed_size", "hidden_size", "num_layers", "cell", "dropout", "tied", "last_size"}
_KNOWN |= {"input_dropout", "hidden_dropout", "output_dropout", "locked_dropout", "embedding_dropout", "weight_drop"}


def unsupported(sizes: dict[str, Any]) -> str | None:
    """What torch.nn has no layer for, of a model's arguments; None where it has all."""
    if layer_of_torch(sizes["cell"]) is None:
        return f"torch.nn has no {sizes['cell']}"
    beyond = [name for name, value in sizes.items() if name not in _KNOWN and value]
    return f"torch.nn has no {beyond[0]}" if beyond else None


class PlainLanguageModel(nn.Module):
    """nn.Embedding, nn.LSTM, nn.Linear, and what AWD-LSTM adds in a few lines each.

    Where nothing is to happen between or inside the layers but dropout, all of them are one nn.LSTM, which is fastest.

    Args:
        sizes: as `LanguageModel` takes them.
    """

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        if why := unsupported(sizes):
            raise ConfigError(why)
        self.sizes = sizes
        rate = sizes["dropout"]
        self.rates = {n: rate if sizes.get(n) is None else sizes[n] for n in ("input_dropout", "output_dropout")}
        hidden = rate if sizes.get("hidden_dropout") is None else sizes["hidden_dropout"]
        self.rates["hidden_dropout"] = hidden
        self.locked, self.weight_drop = sizes.get("locked_dropout", False), sizes.get("weight_drop", 0.0)
        L, H, last = sizes["num_layers"], sizes["hidden_size"], sizes.get("last_size")
        widths = [sizes["embed_size"], *[H] * (L - 1), H if last is None else last]
        self.embedding = nn.Embedding(sizes["vocab_size"], widths[0])
        layer, self.apart = cast(Any, layer_of_torch(sizes["cell"])), widths[-1] != H
        if self.apart or self.locked or self.weight_drop:
            self.layers = nn.ModuleList(layer(D, out) for D, out in pairwise(widths))
        else:
            self.layers = nn.ModuleList([layer(widths[0], H, L, dropout=hidden if L > 1 else 0.0)])
        self.decoder = nn.Linear(widths[-1], sizes["vocab_size"])
        if sizes["tied"]:
            self.decoder.weight = self.embedding.weight

    def forward(self, words: Tensor, state: list[Any] | None = None) -> tuple[Tensor, Tensor, list[Any]]:
        """`[T, N]` words -> outputs of the last layer before and after dropout `[T, N, E]`, and the state."""
        x = self.embedding(words)
        if self.training and (rate := self.sizes.get("embedding_dropout", 0.0)):
            x = x * F.dropout(x.new_ones(len(self.embedding.weight)), rate)[words].unsqueeze(-1)
        x, after = self._drop(x, "input_dropout"), []
        for index, layer in enumerate(self.layers):
            x = self._drop(x, "hidden_dropout") if index else x
            x, new = self._run(layer, x, None if state is None else state[index])
            after.append(new)
        return x, self._drop(x, "output_dropout"), after

    def _run(self, layer: nn.Module, x: Tensor, state: Any) -> Any:
        if not (self.training and self.weight_drop):
            return layer(x, state)
        own: dict[str, Tensor] = dict(layer.named_parameters())
        own["weight_hh_l0"] = F.dropout(own["weight_hh_l0"], self.weight_drop)
        return torch.func.functional_call(layer, own, (x, state))

    def _drop(self, x: Tensor, name: str) -> Tensor:
        rate = self.rates[name]
        if self.locked and self.training and rate:
            return x * F.dropout(torch.ones_like(x[0]), rate)
        return F.dropout(x, rate, self.training)

    def parameters_by_name(self) -> dict[str, Tensor]:
        """The parameters, each once, under the names that `LanguageModel` has for them."""
        found: dict[str, Tensor] = {"embedding.weight": self.embedding.weight, "decoder.bias": self.decoder.bias}
        if not self.sizes["tied"]:
            found["decoder.weight"] = self.decoder.weight
        separate = len(self.layers) > 1
        for index, layer in enumerate(self.layers):
            on_top = self.apart and index == len(self.layers) - 1
            for name, parameter in layer.named_parameters():
                kind = name.rpartition("_l")[0]
                own = f"{kind}_l{0 if on_top else index}" if separate else name
                found[f"{'last' if on_top else 'recurrent'}.{own}"] = parameter
        return found

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        """Take weights by those names."""
        for name, parameter in self.parameters_by_name().items():
            parameter.copy_(weights[name])
