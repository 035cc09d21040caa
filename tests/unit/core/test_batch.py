"""Tokens of a batch: what losses and speeds are counted by."""

import torch

from ostinato.core.batch import Batch

IDS = torch.zeros(7, 3, dtype=torch.long)


def test_every_step_counts_where_there_are_no_lengths():
    assert Batch(IDS, IDS).tokens == 21


def test_else_those_within_the_lengths():
    assert Batch(IDS, IDS, lengths=torch.tensor([7, 0, 4])).tokens == 11


def test_or_what_the_batch_says():
    batch = Batch(IDS, torch.zeros(3), lengths=torch.tensor([7, 0, 4]), counted=3)
    assert batch.tokens == 3
    assert batch.share == 1
    # two processes with 3 and 1 examples: the mean of all is the mean of both means, weighed 3/2 and 1/2
    assert batch.of_several(4, 2).share == 1.5


def test_what_a_model_is_called_with():
    lengths, more = torch.tensor([7, 0, 4]), {"characters": IDS}
    assert Batch(IDS, IDS).arguments() == {}
    assert Batch(IDS, IDS, lengths, more=more).arguments() == {"lengths": lengths, "characters": IDS}
