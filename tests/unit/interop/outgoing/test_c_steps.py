"""Every cell's step in C against the reference loop, and int8 against the same numbers rounded by NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ostinato.cells.unroll import unroll
from ostinato.compiler.trace import trace
from ostinato.config.cells import CELL_NAMES
from ostinato.core.errors import ConfigError
from ostinato.core.registry import lookup
from ostinato.interop.outgoing.c import Program, steps, tried
from ostinato.interop.outgoing.c.arrays import Arrays, quantize
from ostinato.interop.outgoing.c.layers import reset_one
from ostinato.interop.outgoing.c.source import Source
from ostinato.interop.outgoing.c.steps import step_function
from ostinato.interop.outgoing.c.text import function, indented, with_name
from ostinato.layers.recurrent import Recurrent
from tests.unit.interop.outgoing.compiled import MACHINES, on

STEPS = 6

DRIVER = """
#include "@.h"
#include <stdio.h>
int main(void)
{
    static float x[STEPS * 64], y[64];
    CALLS
    return 0;
}
"""


def parameters(cell, random):
    return {
        name: torch.from_numpy(random.normal(0, 0.6, declared.shape).astype(np.float32))
        for name, declared in cell.parameters().items()
    }


def program_of(cells, weights, zoneout=0.0):
    """A program that reads x of each cell and writes its outputs of all steps; and what the loop makes of the same."""
    source, calls, given, expected = Source("model", ["Cells."], Arrays(weights)), [], b"", []
    random = np.random.default_rng(1)
    for number, cell in enumerate(cells):
        p = parameters(cell, random)
        name = f"cell_{number}"
        made = step_function(cell, p, name, source.arrays, zoneout)
        source.functions |= made.functions
        source.add_step(made)
        D, width = cell.input_size, made.width
        run = f"void @_run_{number}(const float *x, float *y)"
        source.declare(f"{run};", "A step.")
        body = [f"static struct @_{name} state;", "static int begun;", "if (!begun) {", "begun = 1;"]
        body += [*reset_one(made, "state"), "}", f"{name}_step(x, &state);"]
        source.code.append(function(run, [*body, f"for (int j = 0; j < {width}; ++j) y[j] = state.{made.output}[j];"]))
        calls += [
            f"if (fread(x, sizeof(float), {STEPS * D}, stdin) != {STEPS * D}) return 1;",
            f"for (int t = 0; t < STEPS; ++t) {{ @_run_{number}(x + t * {D}, y); fwrite(y, 4, {width}, stdout); }}",
        ]
        x = torch.from_numpy(random.normal(0, 1, (STEPS, 1, D)).astype(np.float32))
        given += x.numpy().tobytes()
        expected.append(reference(cell, rounded(p, weights, made), x, zoneout))
    driver = DRIVER.replace("CALLS", "\n".join(indented(calls))).replace("STEPS", str(STEPS))
    files = source.header("model.h"), source.text()
    return Program("model", *files, with_name(driver, "model"), source.arrays.bytes), given, np.concatenate(expected)


def rounded(p, weights, made):
    """Parameters as the program has them: with int8, matrices that are used as they are, in whole, rounded by row."""
    if weights == "float32":
        return p
    found = {}
    for name, tensor in p.items():
        values = tensor.numpy()
        if values.ndim == 2:
            scale = np.abs(values).max(1, keepdims=True) / 127
            values = np.rint(values / scale) * scale
        found[name] = torch.from_numpy(values.astype(np.float32))
    return found


def reference(cell, p, x, zoneout):
    layer = Recurrent(cell, zoneout=zoneout).eval()
    with torch.no_grad():
        for name, tensor in p.items():
            getattr(layer, f"{name}_l0").copy_(tensor)
        layer.runner = unroll
        return layer(x)[0].numpy().ravel()


def apart(program, given, expected, folder, machine="here"):
    found = np.frombuffer(tried(program, folder, given, **on(machine)).output, np.float32)
    return np.abs(found - expected).max()


def every_cell():
    return [cell for name in CELL_NAMES for cell in lookup(name).examples()]


def test_every_cell(tmp_path):
    cells = [lookup(name).examples()[0] for name in CELL_NAMES]
    assert apart(*program_of(cells, "float32"), tmp_path, "here, at once") < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_every_cell_in_every_form_on_every_machine(tmp_path, machine):
    assert apart(*program_of(every_cell(), "float32"), tmp_path, machine) < 1e-5


@pytest.mark.slow
def test_zoneout_is_its_expectation(tmp_path):
    cells = [cell for cell in every_cell() if cell.name in ("lstm", "gru", "sru", "slstm")]
    assert apart(*program_of(cells, "float32", zoneout=0.3), tmp_path) < 1e-5


def test_int8_is_the_nearest_of_255_numbers_in_each_row(tmp_path):
    cells = [lookup(name)(5, 9) for name in ("lstm", "gru", "rnn", "mgu")]
    assert apart(*program_of(cells, "int8"), tmp_path) < 1e-5


def test_rows_of_zeros_and_of_one_size():
    scales, whole = quantize(np.array([[0, 0], [-2, 1], [1e-30, 1e-30]], np.float32))
    np.testing.assert_array_equal(whole, [[0, 0], [-127, 64], [127, 127]])
    np.testing.assert_allclose(whole * scales[:, None], [[0, 0], [-2, 64 * 2 / 127], [1e-30, 1e-30]], rtol=1e-6)


def test_a_cell_that_reads_several_steps_at_once_is_refused(monkeypatch):
    """As one whose `project` looks at neighbouring steps, which torch then computes for all of them."""
    cell = lookup("rnn")(3, 4)
    traced = replace(trace(cell), projected=True)
    monkeypatch.setattr(steps, "trace", lambda cell, **options: traced)
    with pytest.raises(ConfigError, match="--to onnx"):
        step_function(cell, parameters(cell, np.random.default_rng(1)), "one", Arrays("float32"))
