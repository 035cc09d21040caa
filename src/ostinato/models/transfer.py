"""From one model into another: the layers of a language model in a model of another task, and a model's layers by
depth."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ostinato.core.errors import ConfigError
from ostinato.layers.recurrent import Recurrent

_LAYER = re.compile(r"_l(\d+)(?:_reverse)?$")


def levels_of(model: nn.Module) -> list[list[nn.Parameter]]:
    """A model's parameters by layer, the output's first: what stands behind its recurrent layers, each of these from
    the last one down, what stands before them; where there are several stacks, in the order in which the model has
    them. A weight that two layers share is the lower one's."""
    levels: list[list[nn.Parameter]] = [[]]
    seen: set[int] = set()
    for module in model.modules():
        own = [(name, p) for name, p in module.named_parameters(recurse=False) if id(p) not in seen]
        seen |= {id(p) for _, p in own}
        if not isinstance(module, Recurrent):
            levels[-1] += [p for _, p in own]
            continue
        layers: list[list[nn.Parameter]] = [[] for _ in range(module.num_layers)]
        for name, p in own:
            found = _LAYER.search(name)
            layers[int(found[1]) if found else 0].append(p)
        levels += [*layers, []]
    return [level for level in reversed(levels) if level]


@torch.no_grad()
def give_layers(own: Recurrent, lent: Recurrent, first: int | None = None) -> None:
    """Give a stack the weights of another that reads one way: its forward direction then computes what that one does.

    What the stack reads besides (the other direction's outputs, features behind those of the lent stack) counts nothing
    at first: its columns begin at zero. The other direction keeps its random weights.

    Args:
        own: of as many layers, of the same cell and size; its inputs begin with those of the lent stack.
        lent: of one direction, forward.
        first: the lent stack's layer that becomes the first one, where the stack takes over some only; None for all.

    Raises:
        ConfigError: cells, layers or sizes that do not fit.
    """
    theirs = dict(lent.named_parameters()) if first is None else _layers_from(lent, first, own.num_layers)
    for name, weight in own.named_parameters():
        if name.endswith("_reverse"):
            continue
        if name not in theirs:
            raise ConfigError(_misfit(own, lent, f"this model's {name} is not among its weights"))
        weight.copy_(_widened(name, theirs.pop(name), weight, own, lent))
    if theirs:
        raise ConfigError(_misfit(own, lent, f"its {next(iter(theirs))} is not among this model's weights"))


def give_rows(own: Tensor, lent: Tensor, rows: Sequence[int] | None = None) -> None:
    """Give an embedding `[V, E]` the rows of another: all of them, or those of these ids of its own, in order.

    Raises:
        ConfigError: another width, or another vocabulary.
    """
    with torch.no_grad():
        at = slice(None) if rows is None else torch.as_tensor(rows, dtype=torch.long)
        if own[at].shape != lent.shape:
            raise ConfigError(
                f"--from: its embedding is of {tuple(lent.shape)}, expected {tuple(own[at].shape)}, words by width; "
                "leave --embed and --hidden out, or train anew without --from"
            )
        own[at] = lent


@torch.no_grad()
def start_rows(weight: Tensor, ids: Tensor, vectors: Tensor) -> None:
    """Start some rows of an embedding `[V, E]` from vectors `[F, E]` of these ids `[F]`, times the number that makes
    their mean square that of the rows as they are, which are random."""
    if len(ids):
        size = vectors.square().mean().sqrt().clamp(min=1e-12)
        weight[ids] = (vectors * (weight.square().mean().sqrt() / size)).to(weight.dtype)


def _layers_from(lent: Recurrent, first: int, count: int) -> dict[str, Tensor]:
    """The weights of some layers, as those of a stack of these alone are called."""
    found: dict[str, Tensor] = {}
    for name, weight in lent.named_parameters():
        layer = _LAYER.search(name)
        if layer is None or first <= int(layer[1]) < first + count:
            found[name if layer is None else f"{name[: layer.start()]}_l{int(layer[1]) - first}"] = weight
    return found


def _widened(name: str, weight: Tensor, like: Tensor, own: Recurrent, lent: Recurrent) -> Tensor:
    """A lent weight as wide as its place; columns of inputs that the lent stack does not have are zero."""
    if weight.shape == like.shape:
        return weight
    if weight.dim() != 2 or weight.shape[0] != like.shape[0] or weight.shape[1] > like.shape[1]:
        raise ConfigError(_misfit(own, lent, f"{name} is of {tuple(weight.shape)}, expected {tuple(like.shape)}"))
    wide = torch.zeros_like(like)
    wide[:, : weight.shape[1]] = weight
    return wide


def _misfit(own: Recurrent, lent: Recurrent, why: str) -> str:
    return (
        f"--from: its layers ({lent.num_layers} x {lent.hidden_size} units of {lent.cell.name}) do not fit into "
        f"{own.num_layers} x {own.hidden_size} units of {own.cell.name}: {why}; leave --cell, --layers, --hidden and "
        "--cell-options out, or train anew without --from"
    )
