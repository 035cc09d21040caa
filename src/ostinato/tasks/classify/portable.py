"""A classifier without us: what it reads and says, in words and arrays."""

from ostinato.interop.outgoing.described import Described
from ostinato.tasks.classify.exporting import metadata
from ostinato.tasks.portable import sequence_model
from ostinato.tasks.trained import Trained


def described(run: Trained) -> Described:
    """A text or a sequence of numbers to scores of labels."""
    return sequence_model(run, {**metadata(run), "between_labels": run.codec.columns.several})
