"""A classifier for other programs: scores and probabilities of its classes."""

from typing import Any

from torch import nn

from ostinato.interop.outgoing.described import Described
from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.tasks.exporting import described_sequences, reads, sequence_graph
from ostinato.tasks.trained import Trained


def metadata(run: Trained) -> dict[str, Any]:
    """Vocabulary or scaling, and labels."""
    several = run.codec.columns.several is not None
    return reads(run.codec.reads) | {"labels": list(run.codec.classes), "several_labels": several}


def graphs(run: Trained) -> dict[str, Graph]:
    """One: probabilities by softmax, or each by itself where there may be several labels."""
    classes, several = len(run.codec.classes), run.codec.columns.several is not None
    outputs = [
        Port("scores", ("N", classes), "of each label, before probabilities"),
        Port("probabilities", ("N", classes), "of each label" + (" by itself" if several else "")),
    ]
    activation = nn.Sigmoid() if several else nn.Softmax(-1)
    return {"model": sequence_graph(run.model, run.codec.reads, outputs, activation)}


def described(run: Trained) -> Described:
    """A text or a sequence of numbers to scores of labels."""
    return described_sequences(run, {**metadata(run), "between_labels": run.codec.columns.several})
