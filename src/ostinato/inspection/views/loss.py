"""loss: what was expected at each token, and which tokens the loss comes from."""

from dataclasses import dataclass

import numpy as np
from torch import nn

from ostinato.inspection.candidates import Predictions, loss_by_kind, predictions
from ostinato.inspection.facts import KindFacts, LossFacts
from ostinato.inspection.observed import ObservedText


@dataclass(frozen=True)
class LossView:
    """What a language model expected along a text.

    Attributes:
        text: what was read.
        found: at each token, its loss and what was thought likelier.
        shares: of each kind of token, the largest first.
    """

    text: ObservedText
    found: Predictions
    shares: list[KindFacts]

    def candidates(self, count: int) -> list[list[str]]:
        """`[count][K]` texts of the candidates at the first tokens."""
        return [[self.text.text_of(token) for token in row] for row in self.found.candidates[:count]]

    def facts(self) -> LossFacts:
        """What is printed."""
        return LossFacts(tokens=len(self.text.ids), loss=float(self.found.losses.mean()), kinds=self.shares)


def loss_view(model: nn.Module, text: ObservedText, *, top: int = 5) -> LossView:
    """Predict each token of a text by a language model, as evaluation does, and keep the `top` likeliest."""
    found = predictions(model, text.ids, start=text.start, top=top)
    return LossView(text, found, loss_by_kind(found.losses, text.pieces, np.asarray(text.ids) == text.unknown))
