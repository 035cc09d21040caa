"""Random programs of 3 to 25 operations, compiled, are the reference. `make fuzz` draws thousands."""

import pytest

from ostinato.compiler.kernel import kernel_of
from tests.fuzz.cells.batch import Case, cases, faults, report, smallest
from tests.fuzz.cells.drawing import draw, draw_gated


@pytest.mark.usefixtures("kernels", "library")
@pytest.mark.parametrize(("drawn", "count"), [(draw, 50), (draw_gated, 12)])
def test_random_cells(drawn, count):
    found = cases(0, count, drawn)
    for index, fault in faults(found, "-O0").items():
        pytest.fail(report(*smallest(found[index], fault)))


# Seeds of cells that read part of their input, or multiply by part of a matrix: arrays that are not wholly used.
@pytest.mark.parametrize("seed", [23, 76, 102, 118])
def test_parts_of_arrays_are_not_of_the_fused_form(seed):
    case = Case.of(draw_gated(seed))
    assert kernel_of(case.cell, "baseline").fused is None
