"""Convolutions over time in C."""

import numpy as np
from torch import Tensor

from ostinato.interop.outgoing.c.arrays import as_array
from ostinato.interop.outgoing.c.source import Source


def convolution(name: str, weight: Tensor, bias: Tensor, widest: int, source: Source) -> str:
    """A function that makes half as many rows of a sequence, in place; its arrays are added.

    Args:
        name: of the function.
        weight: `[C, D, k]`, k odd, of a convolution of stride 2 with zeros around; its outputs are rectified.
        bias: `[C]`.
        widest: numbers of a row.
        source: to add the arrays to.
    """
    C, D, kernel = weight.shape
    by_step = np.ascontiguousarray(as_array(weight).transpose(0, 2, 1)).reshape(C, kernel * D)
    matrix = source.arrays.matrix(f"{name}_weight", by_step)
    start = source.arrays.vector(f"{name}_bias", as_array(bias))
    source.stack_bytes = max(source.stack_bytes, 4 * kernel * D)
    return f"""\
/* A convolution of stride 2 over {kernel} steps, rectified: `length` rows in, half as many out, and how many. */
static int {name}(float (*rows)[{widest}], float (*other)[{widest}], int length)
{{
    float window[{kernel * D}];
    const int half = (length + 1) / 2;
    for (int t = 0; t < half; ++t) {{
        for (int j = 0; j < {kernel}; ++j) {{
            const int at = 2 * t + j - {kernel // 2};
            for (int d = 0; d < {D}; ++d) window[j * {D} + d] = at >= 0 && at < length ? rows[at][d] : 0.0f;
        }}
        multiply({matrix}, {C}, {kernel * D}, window, {start}, other[t]);
    }}
    for (int t = 0; t < half; ++t) {{
        for (int c = 0; c < {C}; ++c) rows[t][c] = other[t][c] > 0.0f ? other[t][c] : 0.0f;
    }}
    return half;
}}"""
