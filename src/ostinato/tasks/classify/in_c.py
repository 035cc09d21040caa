"""A classifier's parts for C, and random sequences to try it on."""

import numpy as np

from ostinato.interop.outgoing.c import Program, Sample, Weights
from ostinato.tasks.in_c import outputs, sequence_program, sequences
from ostinato.tasks.trained import Trained


def program(run: Trained, name: str, weights: Weights) -> Program:
    """The files.

    Raises:
        ConfigError: a cell that C has no form of.
    """
    sizes, classes = run.config["model"], run.codec.classes
    about = (
        f"A classifier ({sizes['cell']}, {sizes['num_layers']} x {sizes['hidden_size']} units): "
        f"a sequence in, its label of {len(classes)} out."
    )
    answer = "softmax" if run.codec.columns.several is None else "sigmoid"
    return sequence_program(
        run.model, run.codec.reads, name, weights, about=about, answer=answer, names=classes  # type: ignore[arg-type]
    )  # fmt: skip


def sample(run: Trained, random: np.random.Generator, count: int) -> Sample:
    """Random sequences, and the probabilities of all labels."""
    given, inputs = sequences(run.codec.reads, random, count)
    scores = outputs(run.model, inputs)
    found = scores.softmax(-1) if run.codec.columns.several is None else scores.sigmoid()
    return Sample(given, found.numpy(), np.float32(1), len(inputs))
