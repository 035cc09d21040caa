"""A classifier without us: what it reads and says, in words and arrays."""

from ostinato.interop.outgoing.described import Described
from ostinato.tasks.classify.exporting import metadata
from ostinato.tasks.exporting import described_sequences
from ostinato.tasks.trained import Trained


def described(run: Trained) -> Described:
    """A text or a sequence of numbers to scores of labels."""
    return described_sequences(run, {**metadata(run), "between_labels": run.codec.columns.several})
