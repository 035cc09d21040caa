"""How tags are chosen by their scores: a module each, which bears the head's name and has what `Head` asks for."""

from importlib import import_module
from typing import Any, NamedTuple, Protocol, cast

from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.layers.crf import Chain


class TaggerOutput(NamedTuple):
    """What a loss and a decoder need.

    Attributes:
        head: one of `options.HEADS`.
        emissions: `[T, N, K]`, the score of each tag at each step.
        lengths: `[N]`; T where None.
        chain: the scores of neighbouring tags, of a head that learns some.
    """

    head: str
    emissions: Tensor
    lengths: Tensor | None
    chain: Chain | None = None

    def logits(self) -> Tensor:
        """The emissions, as the cross-entropy wants them."""
        return self.emissions


class Head(Protocol):
    """What a head's module has."""

    def layer(self, num_tags: int) -> Any:
        """A module whose `chain()` are its scores of neighbouring tags, K of them; None where it learns none."""

    def loss(self, output: TaggerOutput, batch: Batch) -> Tensor:
        """Mean negative log-likelihood of the tags `[T, N]`, in nats a word."""

    def decode(self, output: TaggerOutput, constraints: Chain | None) -> Tensor:
        """The most probable tags that the constraints allow, `[T, N]` ids, 0 beyond a length."""

    def probabilities(self, output: TaggerOutput) -> Tensor:
        """p(tag) at each step, `[T, N, K]`; zero beyond a length."""


def find(name: str) -> Head:
    """The head of that name, one of `options.HEADS`."""
    return cast(Head, import_module(f"{__name__}.{name}"))


def tag_loss(output: TaggerOutput, batch: Batch) -> Tensor:
    """Mean negative log-likelihood of the tags `[T, N]`, in nats a word; with a CRF that of whole sequences, over their
    words."""
    return find(output.head).loss(output, batch)


def decode_tags(output: TaggerOutput, constraints: Chain | None = None) -> Tensor:
    """The most probable tags, `[T, N]` ids, 0 beyond a length; with constraints, those of `span_constraints`, the most
    probable that keep them."""
    return find(output.head).decode(output, constraints)


def tag_probabilities(output: TaggerOutput) -> Tensor:
    """p(tag) at each step, `[T, N, K]`: softmax, or the marginals of a CRF; zero beyond a length."""
    return find(output.head).probabilities(output)
