"""The letters used for shapes everywhere in the package.

| letter | meaning |
|---|---|
| N | batch: sequences side by side |
| T | time steps |
| D | input features |
| H | hidden units |
| O | features of a cell's output (H, unless the cell projects) |
| G | gates of a cell |
| V | vocabulary |
| L | layers |
| S | directions: 1, or 2 where bidirectional |

Sequences are time-major, `[T, N, ...]`; `batch_first` is one transpose at a layer's edge. Sequences of unequal length
are padded on the right and come with `lengths` [N], which is the only mask. A length of zero is legal.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

#: A cell's state: a NamedTuple of tensors, `(h, c)` where the cell has both.
State: TypeAlias = "tuple[Tensor, ...]"
#: A cell's tensors under their declared names; a name that is absent (a bias switched off) reads as None with `get`.
Parameters: TypeAlias = "Mapping[str, Tensor]"
#: Options a cell declares beyond its sizes, by name.
CellOptions: TypeAlias = Mapping[str, Any]
