"""The table of docs/guides/bring-your-weights.md: each layout's largest difference from its own equations in NumPy.

    python scripts/import_table.py

Random weights, D 12, H 16, N 4, T 50; the equations are `tests/oracles/foreign.py`, PyTorch's are torch.nn's own.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from ostinato.interop import Stack, layer
from ostinato.interop.layouts import LAYOUTS, Layout
from tests.oracles.foreign import LAYERS, onnx_lstm

D, H, N, T = 12, 16, 4, 50
PLACES = {"two": "two", "one": "one", "rows": "two rows of one array", "joined": "two, end to end"}


def difference(one: Layout) -> float:
    """The largest of all outputs."""
    rng, G = np.random.default_rng(0), len(one.gates)
    kernel = (D + H, G * H) if one.joined else (D, G * H) if one.columns else (G * H, D)
    recurrent = None if one.joined else (H, G * H) if one.columns else (G * H, H)
    bias = {"one": (G * H,), "joined": (2 * G * H,)}.get(one.bias, (2, G * H))
    shapes = [kernel, recurrent, bias]
    arrays = [None if shape is None else (rng.standard_normal(shape) / 3).astype(np.float32) for shape in shapes]
    weights = {f"{name}_l0": array for name, array in one.read("layer", *arrays).items()}
    x = rng.standard_normal((T, N, D)).astype(np.float32)
    if one.cell == "lstm_peephole":
        arrays.append((rng.standard_normal(3 * H) / 3).astype(np.float32))
        peepholes = zip(("ci", "co", "cf"), np.split(arrays[-1], 3), strict=True)
        weights |= {f"weight_{gate}_l0": part for gate, part in peepholes}
    output = layer(Stack("layer", one.layer, one.cell, weights))(torch.from_numpy(x))[0].detach().numpy()
    if one.program == "PyTorch":
        theirs = getattr(torch.nn, one.layer)(D, H).double()
        theirs.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        expected = theirs(torch.from_numpy(x).double())[0].detach().numpy()
    else:
        expected = LAYERS.get((one.program, one.layer), onnx_lstm)(x, *arrays)
    return float(np.abs(output - expected).max())


if __name__ == "__main__":
    print("| program | layer | our cell | gates, in order | biases | largest difference |\n|---|---|---|---|---|---|")
    for one in LAYOUTS:
        gates = ", ".join(one.gates)
        print(f"| {one.program} | {one.layer} | `{one.cell}` | {gates} | {PLACES[one.bias]} | {difference(one):.0e} |")
