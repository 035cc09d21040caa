"""Regression's parts for C, and random sequences to try it on."""

import numpy as np

from ostinato.interop.outgoing.c import Program, Sample, Weights
from ostinato.tasks.in_c import outputs, sequence_program, sequences
from ostinato.tasks.trained import Trained


def program(run: Trained, name: str, weights: Weights) -> Program:
    """The files.

    Raises:
        ConfigError: a cell that C has no form of.
    """
    sizes, codec = run.config["model"], run.codec
    about = (
        f"Regression ({sizes['cell']}, {sizes['num_layers']} x {sizes['hidden_size']} units): "
        f"a sequence in, {', '.join(codec.targets)} out."
    )
    scale = {"target_mean": codec.scale.mean, "target_deviation": codec.scale.deviation}
    return sequence_program(
        run.model, codec.reads, name, weights, about=about, answer="scale", names=codec.targets, **scale  # type: ignore[arg-type]
    )  # fmt: skip


def sample(run: Trained, random: np.random.Generator, count: int) -> Sample:
    """Random sequences, and what is said of them in the units of the training data."""
    given, inputs = sequences(run.codec.reads, random, count)
    found = run.codec.scale.undo(outputs(run.model, inputs).numpy())
    return Sample(given, found, np.array(run.codec.scale.deviation), len(inputs))
