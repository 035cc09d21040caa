"""What a program does with a recurrent layer's results: which steps, sequences and directions of them it uses.

Each result goes with a tensor of the same shape that says of every number where it comes from. What only moves numbers
(an index, a view, a transpose) moves these too; what computes with the result uses those that are left.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode

#: A number that comes from no step: padding, or something else beside.
NOWHERE = -1


def _names(*lines: str) -> frozenset[str]:
    return frozenset(name for line in lines for name in line.split())


#: What lies out anew: where the numbers of a sequence must stay together.
_VIEWS = _names("view view_as reshape reshape_as flatten unflatten ravel")

#: Functions that move numbers and compute nothing, by name.
_MOVES = _VIEWS | _names(
    "__getitem__ __get__ select narrow transpose transpose_ swapaxes swapdims movedim moveaxis permute t adjoint",
    "unsqueeze unsqueeze_ squeeze squeeze_ contiguous clone detach chunk split split_with_sizes tensor_split unbind",
    "index_select gather take_along_dim masked_select cat concat concatenate stack hstack vstack dstack expand",
    "expand_as repeat tile flip fliplr flipud roll requires_grad_ _pad_packed_sequence _pack_padded_sequence",
)

#: Functions after which each number still stands for the step that it came from.
_PLACE_BY_PLACE = _names(
    "dropout dropout_ alpha_dropout alpha_dropout_ feature_dropout feature_alpha_dropout relu relu_ tanh tanh_ sigmoid",
    "gelu elu leaky_relu selu silu layer_norm native_layer_norm rms_norm to float half double bfloat16 neg",
)


@dataclass
class Source:
    """A result that is followed.

    Attributes:
        of: what it is a result of, as whoever watches it says.
        sequence: gives the number of the sequence that places stand for.
        count: of sequences.
        used: the places that something was computed with, a tensor for each use.
        mixed: shapes, before and after, of views in which no dimension tells the sequences apart any more.
    """

    of: Any
    sequence: Callable[[Tensor], Tensor]
    count: int
    used: list[Tensor] = field(default_factory=list)
    mixed: list[tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)

    def places(self) -> Tensor:
        """All that were used, each once; NOWHERE is among them where it was."""
        return torch.cat(self.used).unique() if self.used else torch.zeros(0, dtype=torch.long)  # type: ignore[no-untyped-call]

    def use(self, places: Tensor) -> None:
        """Something was computed with these."""
        self.used.append(places.unique())  # type: ignore[no-untyped-call]


class Following(TorchFunctionMode):
    """Follows results through all that torch is asked to do within the block.

    Attributes:
        looked_up: of each embedding that leaves out padding: the ids, and which of them is padding.
    """

    def __init__(self) -> None:
        super().__init__()
        self._followed: dict[int, tuple[Tensor, Tensor, Source]] = {}  # the tensor too: its id must stay its own
        self.looked_up: list[tuple[Tensor, int]] = []

    def follow(self, tensor: Tensor, places: Tensor, source: Source) -> None:
        """Follow a result from here on.

        Args:
            tensor: it.
            places: of the same shape: where each number comes from, NOWHERE or 0 and up.
            source: told of what is used.
        """
        self._followed[id(tensor)] = (tensor, places, source)

    def use(self, value: Any) -> None:
        """What comes out at the end is used whole."""
        for tensor in tensors_in(value):
            if id(tensor) in self._followed:
                _, places, source = self._followed[id(tensor)]
                source.use(places)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See torch."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name == "embedding":
            self._note(*args, **kwargs)
        followed = {id(tensor) for tensor in tensors_in((args, kwargs))} & self._followed.keys()
        if followed and isinstance(result, Tensor | tuple | list) and any(True for _ in tensors_in(result)):
            sources = {id(self._followed[one][2]): self._followed[one][2] for one in followed}
            if len(sources) > 1 or not self._moved(func, name, args, kwargs, result, *sources.values()):
                for one in followed:
                    _, places, source = self._followed[one]
                    source.use(places)
        return result

    def _note(self, ids: Tensor, weight: Tensor, padding_idx: int | None = -1, *more: Any, **others: Any) -> None:
        if padding_idx is not None and padding_idx >= 0:
            self.looked_up.append((ids.detach(), padding_idx))

    def _moved(self, func: Any, name: str, args: Any, kwargs: Any, result: Any, source: Source) -> bool:
        """Follow what comes of a function that leaves numbers what they are; False of any other."""
        if name in _PLACE_BY_PLACE:
            first = args[0] if args else None
            same = isinstance(result, Tensor) and isinstance(first, Tensor) and result.shape == first.shape
            if same and id(first) in self._followed:
                self.follow(result, self._followed[id(first)][1], source)
                return True
            return False
        if name not in _MOVES:
            return False
        try:
            with torch.no_grad():
                if name in _VIEWS:
                    places = self._followed[id(args[0])][1].reshape(result.shape)
                else:
                    places = func(*self._places_of(args), **self._places_of(kwargs))
        except (RuntimeError, TypeError, ValueError, IndexError, KeyError):
            return False  # it cannot be done with whole numbers
        before = next(self._followed[id(one)][0] for one in tensors_in((args, kwargs)) if id(one) in self._followed)
        for tensor, own in zip(tensors_in(result), tensors_in(places), strict=True):
            if tensor.shape != own.shape:
                return False
            if not tensor.is_floating_point():
                continue  # lengths of a packed sequence
            if name in _VIEWS and not self._apart(own, source):
                source.mixed.append((tuple(before.shape), tuple(tensor.shape)))
            self.follow(tensor, own, source)
        return True

    def _places_of(self, value: Any) -> Any:
        """Arguments with places for what is followed; what is not, but is as floating, comes from nowhere."""
        if isinstance(value, Tensor):
            if id(value) in self._followed:
                return self._followed[id(value)][1]
            return torch.full(value.shape, NOWHERE) if value.is_floating_point() else value
        if isinstance(value, dict):
            return {key: self._places_of(one) for key, one in value.items()}
        if isinstance(value, tuple | list):
            return type(value)([self._places_of(one) for one in value]) if type(value) in (tuple, list) else value
        # the value of padding in pad_packed_sequence
        return NOWHERE if isinstance(value, float) else value

    def _apart(self, places: Tensor, source: Source) -> bool:
        """Whether some dimension still tells the sequences apart."""
        known = places >= 0
        if source.count < 2 or places.dim() < 2 or not bool(known.any()):
            return True
        sequences = torch.where(known, source.sequence(places), NOWHERE)
        if len(sequences[known].unique()) == 1:  # type: ignore[no-untyped-call]
            return True
        for dimension in range(places.dim()):
            rows = sequences.movedim(dimension, 0).flatten(1)
            high = rows.max(1).values
            low = torch.where(rows < 0, high[:, None], rows).min(1).values
            if bool((low == high).all()):
                return True
        return False


def of_output(T: int, N: int, width: int, directions: int, lengths: Tensor | None) -> Tensor:
    """Places of an output `[T, N, width]`: `(t * N + n) * S + s`, with s the direction that a number is of."""
    t, n = torch.arange(T)[:, None, None], torch.arange(N)[None, :, None]
    s = torch.arange(width)[None, None, :] // (width // directions)
    places = (t * N + n) * directions + s
    if lengths is not None:
        places = places.masked_fill(t >= lengths.cpu()[None, :, None], NOWHERE)
    return places


def of_state(shape: Sequence[int]) -> Tensor:
    """Places of a state `[L*S, N, H]`: `layer * N + n`, with a layer's directions one after the other."""
    layer, n = torch.arange(shape[0])[:, None, None], torch.arange(shape[1])[None, :, None]
    return (layer * shape[1] + n).expand(*shape).contiguous()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors that a value holds, however deep; of a PackedSequence its data."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, torch.nn.utils.rnn.PackedSequence):
        yield value.data
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from tensors_in(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from tensors_in(one)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for name in value.__dataclass_fields__:
            yield from tensors_in(getattr(value, name, None))


#: Nodes of a graph that are looked at, at most.
_MOST = 500_000


def graph_of(value: Any) -> set[Node]:
    """The nodes of the graphs that made a value's tensors; parameters, which are there from one call to the next, are
    not among them."""
    return {node for node in _walk(value) if not hasattr(node, "variable")}


def leaves_of(value: Any) -> set[int]:
    """The ids of the tensors that a value's tensors get gradients for."""
    return {id(node.variable) for node in _walk(value) if hasattr(node, "variable")}


def _walk(value: Any) -> set[Node]:
    left = [tensor.grad_fn for tensor in tensors_in(value) if tensor.grad_fn is not None]
    found: set[Node] = set()
    while left and len(found) < _MOST:
        node = left.pop()
        if node not in found:
            found.add(node)
            left += [below for below, _ in node.next_functions if below is not None]
    return found
