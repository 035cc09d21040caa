"""Tokens of a batch: what losses and speeds are counted by."""

import torch

from ostinato.core.batch import Batch

IDS = torch.zeros(7, 3, dtype=torch.long)


def test_every_step_counts_where_there_are_no_lengths():
    assert Batch(IDS, IDS).tokens == 21


def test_else_those_within_the_lengths():
    assert Batch(IDS, IDS, lengths=torch.tensor([7, 0, 4])).tokens == 11
