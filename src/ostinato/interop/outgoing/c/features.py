"""What a step of measured numbers becomes in C: standardised, and where a model has one, through a linear layer."""

from collections.abc import Sequence

from torch import Tensor

from ostinato.interop.outgoing.c.arrays import as_array
from ostinato.interop.outgoing.c.source import Source
from ostinato.interop.outgoing.c.text import indented


def add_standardise(
    source: Source, mean: Sequence[float], deviation: Sequence[float], linear: tuple[Tensor, Tensor] | None = None
) -> int:
    """A function `standardise(features, x)`, from double to float; gives how many numbers x has.

    Args:
        source: to add it to.
        mean: `[D]`.
        deviation: `[D]`.
        linear: `[E, D]` and `[E]` of a layer behind it.
    """
    D = width = len(mean)
    source.define("FEATURES", D, "numbers of a step")
    means, deviations = (
        source.arrays.doubles("feature_mean", mean),
        source.arrays.doubles("feature_deviation", deviation),
    )
    row, before, after = "x", list[str](), list[str]()
    if linear is not None:
        weight, bias = linear
        width = weight.shape[0]
        matrix = source.arrays.matrix("input_weight", as_array(weight))
        row, start = "scaled_features", source.arrays.vector("input_bias", as_array(bias))
        before = [f"float {row}[{D}];"]
        after = [f"multiply({matrix}, {width}, {D}, {row}, {start}, x);"]
    body = [
        *before,
        f"for (int k = 0; k < {D}; ++k) {{",
        f"    const double scaled = (features[k] - {means}[k]) / {deviations}[k];",
        "    const double bounded = scaled > 1e9 ? 1e9 : (scaled < -1e9 ? -1e9 : scaled);",
        f"    {row}[k] = features[k] == features[k] ? (float)bounded : 0.0f; /* NAN: missing, as the mean */",
        "}",
        *after,
    ]
    source.code.append("\n".join([
        "/* Standardise the numbers of a step. */",
        "static void standardise(const double *features, float *x)",
        "{",
        *indented(body),
        "}",
    ]))  # fmt: skip
    return width
