"""Sizes with which an exported graph is tried."""

import random

from torch import nn

from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.interop.outgoing.onnx_runtime import _sizes


def test_each_size_is_none_once_but_for_what_ids_point_at():
    words = Port("words", ("T", "N"), "which word", kind="int64", below="U")
    letters = Port("letters", ("C", "U"), "its letters", kind="int64", below=9)
    graph = Graph(nn.Identity(), [words, letters], [])
    tried = list(_sizes(graph, 12, random.Random(0)))
    assert tried[0] == {"T": 1, "N": 1, "C": 1, "U": 1}
    assert {axis for sizes in tried for axis, size in sizes.items() if size == 0} == {"T", "N", "C"}
    assert all(sizes["U"] > 0 for sizes in tried)
