"""What the native cells look like from outside; `cells` says the same, but needs torch."""

from typing import NamedTuple


class Form(NamedTuple):
    """Number of gates, fields of the state, and the weights that a unit has beside the products."""

    gates: int
    state: tuple[str, ...]
    extra: tuple[str, ...] = ()


FORMS = {
    "rnn": Form(1, ("h",)),
    "rnn_relu": Form(1, ("h",)),
    "lstm": Form(4, ("h", "c")),
    "lstm_peephole": Form(4, ("h", "c"), ("weight_ci", "weight_cf", "weight_co")),
    "gru": Form(3, ("h",)),
}
