"""Random programs of 3 to 25 operations, compiled, are the reference. `make fuzz` draws thousands."""

import pytest

from tests.fuzz.cells.batch import cases, faults, report, smallest


@pytest.mark.usefixtures("kernels", "library")
def test_random_cells():
    drawn = cases(0, 50)
    for index, fault in faults(drawn).items():
        pytest.fail(report(*smallest(drawn[index], fault)))
