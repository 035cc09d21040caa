"""Conformance: documents in one sequence do not see each other."""

from itertools import pairwise

import torch

from ostinato.cells.contract import Cell
from ostinato.testing.samples import Sample, gradients, layer_of, same

#: Of three sequences of six steps, where documents begin and end.
EDGES = ((0, 2, 3, 6), (0, 6), (0, 1, 5, 6))


def documents(cell: Cell) -> None:
    """Each document between resets is what it is in a call of its own, in both directions; so are the gradients."""
    layer = layer_of(cell, bidirectional=True).double()
    sample = Sample.draw(cell, steps=6)
    resets = torch.zeros(6, 3, dtype=torch.bool)
    alone, together = sample.leaves().x, sample.leaves().x
    rows = []
    for n, edges in enumerate(EDGES):
        resets[list(edges[:-1]), n] = True
        pieces = pairwise(edges)
        rows.append(torch.cat([layer(alone[begin:end, n : n + 1])[0] for begin, end in pieces]))
    expected = torch.cat(rows, 1)
    output, _ = layer(together, resets=resets)
    same("documents: output", output, expected)
    leaves = dict(layer.named_parameters())
    found = gradients(output.sin().sum(), {"x": together, **leaves})
    for name, grad in gradients(expected.sin().sum(), {"x": alone, **leaves}).items():
        same(f"documents: gradient of {name}", found[name], grad)
