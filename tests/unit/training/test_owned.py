"""What each process has its own of is dealt out anew to others; and steps of several batches."""

import pytest
import torch

from ostinato.checkpoint.position import Interval
from ostinato.core.kept_state import KeptState
from ostinato.training import Processes, owned
from tests.support import metrics

CPU = torch.device("cpu")
STATE = torch.arange(24.0).reshape(2, 4, 3)  #: [layers, streams, units]


def saved(world, parts):
    """As processes of that number save it: the streams in order."""
    found = []
    for rank in range(world):
        chunks = STATE.chunk(world * parts, 1)[rank * parts : (rank + 1) * parts]
        kept = [KeptState((chunk, -chunk)) for chunk in chunks]
        interval = Interval(loss=float(rank + 1), tokens=10)
        found.append(owned.saved(kept, interval, Processes(), CPU))
    groups = {}
    for name in found[0]:
        group, _, rest = name.partition(".")
        groups.setdefault(group, {})[rest] = torch.cat([one[name] for one in found])
    return groups


@pytest.mark.parametrize(("before", "now"), [((1, 1), (4, 1)), ((2, 1), (1, 1)), ((2, 2), (2, 2)), ((4, 1), (2, 1))])
@pytest.mark.filterwarnings("ignore:--resume")
def test_each_stream_keeps_its_state(before, now):
    groups, (world, parts) = saved(*before), now
    again, sums = [], []
    for rank in range(world):
        kept = [KeptState() for _ in range(parts)]
        sums.append(owned.taken_back(groups, kept, Processes(rank, world), CPU))
        again += [one.state for one in kept]
    assert torch.equal(torch.cat([state[0] for state in again], 1), STATE)
    assert torch.equal(torch.cat([state[1] for state in again], 1), -STATE)
    assert sum(each["loss"] for each in sums) == sum(range(before[0] + 1))
    assert sum(each["tokens"] for each in sums) == 10 * before[0]


def test_another_number_of_processes_is_said():
    with pytest.warns(UserWarning, match="--resume: 1 processes now, 2 before"):
        owned.taken_back(saved(2, 1), [KeptState()], Processes(), CPU)


def test_two_batches_a_step_are_one_twice_as_large(make, weights):
    whole, parts = make("whole"), make("parts", batch=1, accumulate=2, streams=2)
    for trainer in (whole, parts):
        trainer.fit()
    torch.testing.assert_close(weights(parts.job.model), weights(whole.job.model), rtol=1e-5, atol=1e-6)
    lines = [[line["loss"] for line in metrics(trainer.folder.path) if "loss" in line] for trainer in (whole, parts)]
    assert lines[1] == pytest.approx(lines[0], abs=1e-5)
    assert parts.position.tokens == whole.position.tokens
