"""A language model lends its vocabulary, embedding and layers to a model of another task."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

from ostinato.data.text.tokenizer import TextCodec
from ostinato.layers.recurrent import Recurrent


class Lent(NamedTuple):
    """What a language model has to lend.

    Attributes:
        codec: its vocabulary.
        embedding: `[V, E]`.
        recurrent: its layers, which read one way.
    """

    codec: TextCodec
    embedding: Tensor
    recurrent: Recurrent


@runtime_checkable
class Lends(Protocol):
    """A task whose models other tasks can begin with."""

    def lending(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The options, by plain name, that make layers like those of a run with this configuration, and that its
        vocabulary was learned by."""

    def lend(self, codec: Any, model: nn.Module) -> Lent:
        """What a run's model lends."""


@runtime_checkable
class Borrows(Protocol):
    """A task whose models can begin with a language model's layers.

    Its `prepare` is given the language model's `TextCodec` in place of a codec of its own then.
    """

    #: Options that such a training takes over from the language model, of those that `Lends.lending` gives.
    BORROWED: frozenset[str]

    def borrow(self, model: nn.Module, codec: Any, lent: Lent) -> None:
        """Give a model, with random weights, what is lent; `codec` is the model's own.

        Raises:
            ConfigError: cells, sizes or a vocabulary that do not fit.
        """
