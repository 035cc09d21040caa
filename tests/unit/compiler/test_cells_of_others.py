"""torchrecurrent's cells: all of them compile, and their numbers are its own and those of float64."""

import pytest
import torch

from ostinato.cells.unroll import unroll
from ostinato.compiler.kernel import kernel_of
from tests.cells_of_others.torchrecurrent import CELLS
from tests.fuzz.cells.batch import Case, faults

CASES = [Case(seed, kind(6, 6)) for seed, kind in enumerate(CELLS.values())]


def test_all_of_them_are_of_a_form_that_compiles(library):
    found = {name: kernel_of(kind(6, 6), library.isa) for name, kind in CELLS.items()}
    assert len(found) == 41
    scans = {name for name, kernel in found.items() if not kernel.layout.forward.form.level}
    assert scans == {"BR", "IndRNN", "TRNN", "UnICORNN"}
    assert not any(kernel.traced.projected for kernel in found.values())


@pytest.mark.usefixtures("kernels", "library")
def test_some_compiled():
    some = [case for case in CASES if type(case.cell).__name__ in ("TLSTM", "DSGU", "SCRN", "WMCLSTM")]
    assert not faults(some)


@pytest.mark.slow
@pytest.mark.usefixtures("kernels", "library")
def test_all_compiled():
    assert not {type(CASES[index].cell).__name__: fault for index, fault in faults(CASES).items()}


@pytest.mark.parametrize("name", CELLS)
def test_numbers_are_torchrecurrents(name):
    torchrecurrent = pytest.importorskip("torchrecurrent", reason="pip install torchrecurrent: its numbers")
    torch.manual_seed(0)
    T, N, H = 6, 3, 5
    theirs = getattr(torchrecurrent, name)(H, H).double()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    p = {key.removeprefix("cells.0."): tensor.detach() for key, tensor in theirs.state_dict().items()}
    cell = CELLS[name](H, H)
    x = torch.randn(T, N, H, dtype=torch.float64)
    with torch.no_grad():
        wanted, _ = theirs(x)
        found = unroll(cell, {key: p[key].reshape(d.shape) for key, d in cell.parameters().items()}, x,
                       cell.initial_state(N, x))  # fmt: skip
    torch.testing.assert_close(found.output, wanted)
