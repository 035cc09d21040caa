"""The table of operands: what is derived from it, against what stands written out here."""

import ctypes
import re
import shutil
import subprocess
import sys

import pytest

from ostinato.native import header
from ostinato.native.library import Run, Softmax
from ostinato.native.operands import RUN, Operand, Role, Table, shapes_of, signature

SMALL = Table(
    Operand("T", Role.SIZE, ""),
    Operand("x", Role.READ, "T, N", differentiable=True, strided=True),
    Operand("resets", Role.READ, "T, N", dtype="bool", optional=True),
    Operand("y", Role.KEPT, "T, G*N", differentiable=True),
    Operand("kept", Role.KEPT, "K", dtype="float32"),
)


def test_gradients_and_strides_follow_from_rows():
    assert SMALL.fields == [
        ("T", False),
        *[("x", True), ("x_stride_t", False), ("resets", True), ("y", True), ("kept", True)],
        *[("grad_y", True), ("grad_x", True)],
    ]
    assert [row.name for row in SMALL.of(Role.UPSTREAM)] == ["grad_y"]
    assert signature(SMALL.of(Role.READ, Role.UPSTREAM)) == "Tensor x, Tensor? resets, Tensor? grad_y"


def test_exported_graphs_find_the_arguments_they_name():
    """Files of `torch.export` hold the operator's arguments by name: they can only become more."""
    assert signature(RUN.arguments[: RUN.first]) == (
        "str cell, Tensor x, Tensor weight_ih, Tensor weight_hh, Tensor? bias_ih, Tensor? bias_hh, Tensor? extra, "
        "Tensor? weight_out, Tensor? bias_out, "
        "Tensor h0, Tensor? c0, Tensor? lengths, Tensor? recurrent_mask, Tensor? zoneout_h, "
        "Tensor? zoneout_c, bool reverse"
    )


def test_shapes_by_letters():
    shapes = shapes_of(SMALL.of(Role.READ, Role.KEPT), "TNGK")
    assert shapes(5, 2, 3, 7) == ((5, 2), (5, 2), (5, 6), (7,))
    with pytest.raises(ValueError, match="got K"):
        shapes_of(SMALL.of(Role.KEPT), "TNG")


def test_a_struct_of_c():
    declared = re.sub(r" +/\*.*\*/", "", header.struct("small", SMALL)).splitlines()
    assert [line for line in declared if line.strip()] == [
        "typedef struct {",
        "    int64_t T;",
        "    const float *x;",
        "    int64_t x_stride_t;",
        "    const uint8_t *resets;",
        "    float *y;",
        "    float *kept;",
        "    const float *grad_y;",
        "    float *grad_x;",
        "} small;",
    ]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_c_lays_the_structs_out_as_ctypes_does(tmp_path):
    """The header is C, and every field lies where the binding writes it."""
    asked = [(kind, name) for kind in (Run, Softmax) for name, _ in kind._fields_]
    prints = "".join(f'printf("%zu\\n", offsetof(ostinato_{kind.__name__.lower()}, {name}));' for kind, name in asked)
    source, program = tmp_path / "offsets.c", tmp_path / "offsets"
    source.write_text(f'#include <stddef.h>\n#include <stdio.h>\n#include "ostinato.h"\nint main(void) {{ {prints} }}')
    subprocess.run(["cc", "-std=c99", f"-I{header.PATH.parent}", str(source), "-o", str(program)], check=True)
    found = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.split()
    assert list(map(int, found)) == [getattr(kind, name).offset for kind, name in asked]
    assert ctypes.sizeof(Run) == 8 * len(Run._fields_)


def test_the_tables_need_no_torch():
    code = "import sys, ostinato.native.operands, ostinato.native.header; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
