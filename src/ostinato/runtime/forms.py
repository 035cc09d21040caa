"""What the native cells look like from outside; `cells` says the same, but needs torch."""

from typing import NamedTuple


class Form(NamedTuple):
    """Number of gates, fields of the state, and the weights beside the two products.

    Attributes:
        gates: G.
        state: names of its fields, the one that is the output first.
        extra: weights that a unit has beside the products, and how many of each.
        output: names of the weight and the bias of a layer behind the cell, whose output is what is fed back.
        without_bias: which of `extra` a cell without biases has not.
    """

    gates: int
    state: tuple[str, ...]
    extra: tuple[tuple[str, int], ...] = ()
    output: tuple[str, str | None] | None = None
    without_bias: tuple[str, ...] = ()


_PEEPHOLES = (("weight_ci", 1), ("weight_cf", 1), ("weight_co", 1))
_NORMS = (("norm_ih", 4), ("norm_hh", 4), ("norm_c", 1), ("shift_c", 1))

FORMS = {
    "rnn": Form(1, ("h",)),
    "rnn_relu": Form(1, ("h",)),
    "jordan": Form(1, ("y",), output=("weight_ho", "bias_ho")),
    "lstm": Form(4, ("h", "c")),
    "lstm_peephole": Form(4, ("h", "c"), _PEEPHOLES),
    "lstm_layer_norm": Form(4, ("h", "c"), _NORMS, without_bias=("shift_c",)),
    "gru": Form(3, ("h",)),
    "gru_reset_before": Form(3, ("h",)),
}

#: Of "lstm" with projection, which has a kernel of its own.
PROJECTED = Form(4, ("h", "c"), output=("weight_hr", None))


def kernel_of(cell: str, projected: bool) -> tuple[str, Form]:
    """Name of a cell's kernel, and the form of its weights."""
    return ("lstm_projected", PROJECTED) if cell == "lstm" and projected else (cell, FORMS[cell])
