"""Parameters that all estimators have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceEstimator(BaseEstimator):  # type: ignore[misc]
    """What every estimator can be told besides its own parameters; those that are None have the command's default.

    A dataclass, and so is each estimator: the `__init__` it makes takes every parameter by name and stores it
    untouched, which is all that scikit-learn wants of one.

    Args:
        cell: recurrent cell.
        layers: recurrent layers.
        hidden: units of each layer and direction.
        dropout: share set to zero in training.
        epochs: passes over the data.
        time_limit: seconds to train, at most.
        batch: sequences a step.
        lr: learning rate.
        weight_decay: strength of AdamW's decay.
        validation_fraction: share of the data held out to choose the best weights by; 0 holds out none. So do a
            classifier and a regressor where that would be fewer than 30 sequences: they keep the last weights then.
        random_state: seed, or RandomState, of every random number.
        verbose: whether to show progress.
        options: any other option of the command, by name: `{"zoneout": 0.1, "threads": 1}`.
    """

    cell: str | None = None
    layers: int | None = None
    hidden: int | None = None
    dropout: float | None = None
    epochs: int | None = None
    time_limit: float | None = None
    batch: int | None = None
    lr: float | None = None
    weight_decay: float | None = None
    validation_fraction: float = 0.1
    random_state: Any = None
    verbose: bool = False
    options: Mapping[str, Any] | None = None
