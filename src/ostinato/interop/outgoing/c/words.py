"""What the values of a step are called: gates by their letter, fields of the state by their name."""

from ostinato.cells.contract import Cell
from ostinato.compiler.pieces import Step
from ostinato.compiler.program import LEAVES, Rows
from ostinato.compiler.trace import Traced

#: What makes a gate of a sum of products.
_SQUASHING = ("sigmoid", "tanh", "exp")


def words_of(cell: Cell, traced: Traced, step: Step) -> dict[int, str]:
    """Names by value: a letter for what is squashed of products with one gate's rows alone, and a field's name for what
    it becomes."""
    graph, found = step.graph, dict[int, str]()
    gates: dict[int, frozenset[str]] = {}
    for at in graph.needed([*(at for pieces in step.after for at in pieces), *step.output]):
        node = graph[at]
        if node.op == "product":
            gates[at] = frozenset({_gate(cell, traced, node.value[0]) or f"?{at}"})
        else:
            gates[at] = frozenset().union(*(gates[arg] for arg in node.args))
        if node.op in _SQUASHING:
            if len(gates[at]) == 1:
                (letter,) = gates[at]
                if letter.isidentifier() and letter not in found.values():
                    found[at] = letter
            gates[at] = frozenset({f"?{at}"})
    for name, pieces in zip(cell.State._fields, step.after, strict=True):
        if len(pieces) == 1 and name not in found.values() and graph[pieces[0]].op not in LEAVES:
            found.setdefault(pieces[0], name)
    return {at: word.lower() for at, word in found.items()}


def _gate(cell: Cell, traced: Traced, rows: Rows) -> str:
    """Which gate's the rows of a matrix are; empty where they are not one gate's."""
    H = cell.hidden_size
    whole = traced.matrix_shapes[rows.matrix][0] == len(cell.gates) * H
    return cell.gates[rows.row // H] if whole and rows.rows == H and rows.row % H == 0 else ""
