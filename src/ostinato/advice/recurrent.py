"""The recurrent layers in somebody's module, and what each of their calls was given and gave."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ostinato.advice.following import Following, Source, of_output, of_state
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.single_step import SingleStep

#: Layers over whole sequences, and cells of one step: torch's, and this package's.
SEQUENCES, STEPS = (nn.RNNBase, Recurrent), (nn.RNNCellBase, SingleStep)


@dataclass
class Call:
    """A call of a recurrent layer with sequences side by side.

    Attributes:
        name: of the layer within the module.
        layer: it.
        x: `[T, N, D]`, whatever the layout that it came in, detached; of a PackedSequence None.
        T, N: steps and sequences, as the layer takes them.
        lengths: `[N]` steps of each sequence, where they are known: by the layer, or by padding that can be seen.
        told: whether the layer knows them.
        hx: the state that it was called with.
        output: what is done with its output.
        state: what is done with its final state, h.
    """

    name: str
    layer: nn.Module
    x: Tensor | None
    T: int
    N: int
    lengths: Tensor | None
    told: bool
    hx: Any
    output: Source
    state: Source

    @property
    def directions(self) -> int:
        """2 of a bidirectional layer whose outputs lie one behind the other."""
        both = self.layer.bidirectional and getattr(self.layer, "merge", "concat") == "concat"
        return 2 if both else 1

    @property
    def called(self) -> str:
        """For people: the class, and the name where there is one."""
        kind = type(self.layer).__name__
        return f"{kind} ({self.name})" if self.name else kind


class Watch:
    """Notes the calls of recurrent layers in `calls`, and in `stepped` how often each cell of one step was called.

    Args:
        following: told of their results.
        lengths: `[N]`, as the user knows them.
    """

    def __init__(self, following: Following, lengths: Tensor | None) -> None:
        self._following, self._lengths = following, lengths
        self.calls: list[Call] = []
        self.stepped: dict[str, int] = {}

    def __call__(self, name: str, layer: Any, args: Any, kwargs: Any, result: Any) -> None:
        """A layer has been called."""
        if isinstance(layer, STEPS):
            self.stepped[name] = self.stepped.get(name, 0) + 1
            return
        x = args[0] if args else kwargs.get("input")
        hx = args[1] if len(args) > 1 else kwargs.get("hx")
        output, state = result[0], result[1]
        h = state[0] if isinstance(state, tuple) else state
        if isinstance(x, PackedSequence):
            self._packed(name, layer, x, hx, output, h)
        elif isinstance(x, Tensor) and x.dim() == 3 and isinstance(h, Tensor) and h.dim() == 3:
            self._padded(name, layer, x, hx, output, h, args, kwargs)

    def _padded(
        self, name: str, layer: Any, x: Tensor, hx: Any, output: Tensor, h: Tensor, args: Any, kwargs: Any
    ) -> None:
        time_major = x.transpose(0, 1) if layer.batch_first else x
        T, N = time_major.shape[:2]
        lengths = (args[2] if len(args) > 2 else kwargs.get("lengths")) if isinstance(layer, Recurrent) else None
        told = lengths is not None
        if not told and (not isinstance(layer, Recurrent) or kwargs.get("mask") is None):
            lengths = self._seen_lengths(time_major.detach())
        call = self._call(name, layer, time_major.detach(), T, N, lengths, told, hx)
        places = of_output(T, N, output.shape[-1], call.directions, lengths)
        self._following.follow(
            output, (places.transpose(0, 1) if layer.batch_first else places).to(x.device), call.output
        )
        if not getattr(layer, "batch_first_state", False):
            self._following.follow(h, of_state(h.shape).to(h.device), call.state)

    def _packed(self, name: str, layer: Any, x: PackedSequence, hx: Any, output: PackedSequence, h: Tensor) -> None:
        T, N = len(x.batch_sizes), int(x.batch_sizes[0])
        order = torch.arange(N) if x.sorted_indices is None else x.sorted_indices.cpu()
        lengths = torch.empty(N, dtype=torch.long)
        lengths[order] = (x.batch_sizes[:, None] > torch.arange(N)[None]).sum(0)
        call = self._call(name, layer, None, T, N, lengths, True, hx)
        places = of_output(T, N, output.data.shape[-1], call.directions, None)[:, order]
        rows = torch.cat([places[t, :size] for t, size in enumerate(x.batch_sizes.tolist())])
        self._following.follow(output.data, rows.to(output.data.device), call.output)
        self._following.follow(h, of_state(h.shape).to(h.device), call.state)

    def _call(
        self, name: str, layer: Any, x: Tensor | None, T: int, N: int, lengths: Tensor | None, told: bool, hx: Any
    ) -> Call:
        S = 2 if layer.bidirectional and getattr(layer, "merge", "concat") == "concat" else 1
        output, state = Source("output", lambda at: at // S % N, N), Source("state", lambda at: at % N, N)
        call = Call(name, layer, x, T, N, lengths, told, hx, output, state)
        self.calls.append(call)
        return call

    def _seen_lengths(self, x: Tensor) -> Tensor | None:
        """Lengths that the layer is not told of: the user's, or those that the embedding's padding shows; where the
        padding lies behind the sequences, all of it alike."""
        T, N = x.shape[:2]
        found = self._lengths if self._lengths is not None and self._lengths.shape == (N,) else self._of_padding(T, N)
        if found is None or int(found.max()) > T or int(found.min()) < 0 or bool((found == T).all()):
            return None
        behind = x[torch.arange(T)[:, None] >= found.cpu()[None]]
        return found.cpu() if bool((behind == behind[0]).all()) else None

    def _of_padding(self, T: int, N: int) -> Tensor | None:
        for ids, padding in self._following.looked_up:
            for laid in (ids, ids.transpose(0, 1)) if ids.dim() == 2 else ():
                if laid.shape == (T, N) and (found := trailing(laid == padding)) is not None:
                    return T - found
        return None


def trailing(padding: Tensor) -> Tensor | None:
    """`[N]` steps of padding behind each sequence, of `[T, N]` bool; None where there is none, or some elsewhere."""
    count = padding.sum(0)
    T = padding.shape[0]
    behind = torch.arange(T, device=padding.device)[:, None] >= T - count[None]
    return count.cpu() if bool((behind == padding).all()) and bool(count.any()) else None


@contextmanager
def watched(module: nn.Module, watch: Watch) -> Iterator[None]:
    """Within the block, calls of the recurrent layers of a module are noted."""
    handles = [
        part.register_forward_hook(_hook(watch, name), with_kwargs=True)
        for name, part in module.named_modules()
        if isinstance(part, (*SEQUENCES, *STEPS))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(watch: Watch, name: str) -> Any:
    def hook(layer: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
        with torch.no_grad():
            watch(name, layer, args, kwargs, result)

    return hook
