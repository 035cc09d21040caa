"""Regression for other programs: values, standardised."""

from typing import Any

from ostinato.interop.outgoing.described import Described
from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.tasks.exporting import described_sequences, reads, scaling, sequence_graph
from ostinato.tasks.trained import Trained


def metadata(run: Trained) -> dict[str, Any]:
    """Vocabulary or scaling, and the targets with theirs."""
    codec = run.codec
    return reads(codec.reads) | {"targets": list(codec.targets), "target_scaling": scaling(codec.scale)}


def graphs(run: Trained) -> dict[str, Graph]:
    """One."""
    meaning = "of each target, standardised: times deviation plus mean of the metadata's target_scaling"
    outputs = [Port("values", ("N", len(run.codec.targets)), meaning)]
    return {"model": sequence_graph(run.model, run.codec.reads, outputs, None)}


def described(run: Trained) -> Described:
    """A text or a sequence of numbers to standardised values."""
    return described_sequences(run, metadata(run))
