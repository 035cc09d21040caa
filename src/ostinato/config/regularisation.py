"""Regularisation of language models: what keeps a recurrent network from learning its text by heart."""

from dataclasses import dataclass

from ostinato.config.checks import at_least, share


@dataclass(frozen=True)
class RegularisationOptions:
    """What training disturbs or penalises, so that the model learns what holds elsewhere too; evaluation knows none
    of it."""

    input_dropout: float | None = None
    """Share of the embedding's features set to zero in training. By default as --dropout."""

    hidden_dropout: float | None = None
    """Share set to zero between layers. By default as --dropout."""

    output_dropout: float | None = None
    """Share set to zero before the output layer. By default as --dropout."""

    locked_dropout: bool = False
    """Set the same features to zero at every step of a piece, instead of others at each step: what is dropped then
    cannot be got back from the neighbouring steps (variational dropout; Gal, Ghahramani 2016)."""

    embedding_dropout: float = 0.0
    """Share of the vocabulary that a piece is read without: a word's embedding is zero at all of its places, so that
    no single word is leant on."""

    weight_drop: float = 0.0
    """Share of the recurrent weights set to zero in training, others for each piece (DropConnect; Merity et al.
    2018)."""

    ar: float = 0.0
    """Activation regularisation: this times the mean square of the last layer's outputs is added to the loss that is
    trained on, which keeps them small. Figures of the loss are without it."""

    tar: float = 0.0
    """The same for the change of outputs from one step to the next (temporal activation regularisation)."""

    random_steps: bool = False
    """Draw the length of each piece anew, about --steps, now and then half of it, so that pieces do not end at the same
    places in every epoch; the learning rate of a step goes with the length. No token is left out."""

    def __post_init__(self) -> None:
        share(input_dropout=self.input_dropout, hidden_dropout=self.hidden_dropout, output_dropout=self.output_dropout)
        share(embedding_dropout=self.embedding_dropout, weight_drop=self.weight_drop)
        at_least(ar=(self.ar, 0), tar=(self.tar, 0))

    def model_settings(self) -> dict[str, float | bool | None]:
        """The arguments of the model that they are."""
        names = ("input_dropout", "hidden_dropout", "output_dropout", "locked_dropout", "embedding_dropout")
        return {name: getattr(self, name) for name in (*names, "weight_drop")}
