"""A text that grows is watched as if it were read from its beginning each time, at the cost of one step."""

import numpy as np
import pytest
import torch
from torch import nn

import ostinato
from ostinato.cells.gru import GRU
from ostinato.config.cells import CELL_NAMES
from ostinato.core.errors import ConfigError
from ostinato.inspection import Live, Observed, record
from ostinato.inspection.units import standing_out
from tests.conformance.own_cell import FeedbackMGU
from tests.unit.inspection.conftest import D, H, layer


class Model(nn.Module):
    def __init__(self, recurrent, separator=None):
        super().__init__()
        self.recurrent, self.separator = recurrent, separator

    def forward(self, inputs):
        resets = None if self.separator is None else inputs[..., 0] == self.separator
        return self.recurrent(inputs, resets=resets)[0]


def observed(x):
    return Observed([str(t) for t in range(len(x))], x, {}, torch.sum, "the sum")


def sequence(length):
    torch.manual_seed(2)
    return torch.randn(length, 1, D, dtype=torch.float64)


def versions():
    """Grown by one, grown by several, cut, changed in its midst, as it was, cut to one step, another one."""
    x = sequence(12)
    changed = torch.cat((x[:3], x[:1], x[4:9]))
    return [x[:2], x[:3], x[:8], x[:5], x, changed, changed, x[:1], -x[:4]]


def compare(places, model, x):
    expected = record(model, x)
    assert [(place.place, place.cell, place.unseen) for place in places] == [
        (one.place, one.cell, one.unseen) for one in expected
    ]
    for place, one in zip(places, expected, strict=True):
        wanted = {f"gate {name}": (gate, one.functions[name]) for name, gate in one.gates.items()}
        wanted |= {f"state {name}": (field, "") for name, field in one.states.items()}
        found = {f"{series.kind} {series.name}": series for series in place.series if series.kind != "output"}
        assert list(found) == list(wanted)
        for name, (values, function) in wanted.items():
            assert found[name].function == function
            flat = values[:, 0].reshape(len(x), -1)
            np.testing.assert_allclose(found[name].values, flat, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_what_changed_is_as_read_from_the_beginning(cell):
    model = Model(layer(cell, num_layers=2))
    live = Live(model)
    for x in versions():
        compare(live.read(observed(x)), model, x)


@pytest.mark.parametrize("options", [{"bidirectional": True, "num_layers": 2}, {"reverse": True}, {"zoneout": 0.3}])
def test_directions_and_zoneout(options):
    model = Model(layer("gru", **options))
    live = Live(model)
    for x in versions():
        compare(live.read(observed(x)), model, x)


def test_documents_begin_anew():
    model = Model(layer("lstm"), separator=9.0)
    live, x = Live(model), sequence(8)
    x[4, 0, 0] = 9.0
    for length in (3, 5, 6, 8):
        compare(live.read(observed(x[:length])), model, x[:length])


def test_one_more_step_costs_one_step(monkeypatch):
    steps = []
    own = GRU.step
    monkeypatch.setattr(GRU, "step", lambda self, *given: steps.append(1) or own(self, *given))
    live, x = Live(Model(layer("gru", num_layers=2))), sequence(30)
    live.read(observed(x[:20]))
    for length, expected in ((21, 2), (24, 6), (22, 0), (23, 2)):
        steps.clear()
        places = live.read(observed(x[:length]))
        assert len(steps) == expected, length
        assert [place.start for place in places] == [length - expected // 2] * 2


def test_an_output_that_is_no_state_is_shown():
    """Compared with what the layer gives."""
    others = [cell for cell in CELL_NAMES if not layer(cell).cell.output_is_state]
    assert others
    for cell in others:
        model, x = Model(layer(cell)), sequence(6)
        (place,) = Live(model).read(observed(x))
        assert (place.series[-1].kind, place.series[-1].name) == ("output", "y")
        np.testing.assert_allclose(place.series[-1].values, model(x)[:, 0].detach(), rtol=1e-5, atol=1e-6)


def test_a_cell_written_outside_the_package_is_watched():
    """What it feeds back is its output, which is a field of its state too."""
    model = Model(ostinato.Recurrent(FeedbackMGU(D, H), dtype=torch.float64).eval())
    live = Live(model)
    for x in versions():
        compare(live.read(observed(x)), model, x)


def test_after_a_failure_all_is_read_anew(monkeypatch):
    model, x, own = Model(layer("gru")), sequence(6), GRU.step
    live, taken = Live(model), []

    def fails(self, *given):
        taken.append(1)
        if len(taken) == 2:
            raise ConfigError("no more")
        return own(self, *given)

    live.read(observed(x[:3]))
    monkeypatch.setattr(GRU, "step", fails)
    with pytest.raises(ConfigError, match="no more"):
        live.read(observed(x))
    monkeypatch.setattr(GRU, "step", own)
    compare(live.read(observed(x[:5])), model, x[:5])


def chance(values, chosen):
    """That a chosen one is higher than another, over all pairs."""
    pairs = values[chosen][:, None] - values[~chosen]
    return (pairs > 0).mean() + (pairs == 0).mean() / 2


def test_units_that_stand_out_are_those_that_pairs_of_steps_tell():
    draw = np.random.default_rng(0)
    series = [draw.normal(size=(40, 6)).astype(np.float32), np.round(draw.normal(size=(40, 4)), 1)]
    chosen = np.zeros(40, bool)
    chosen[10:18] = True
    series[1][chosen, 2] += 2.0
    found = standing_out(series, chosen, top=10)
    assert (found[0].series, found[0].unit) == (1, 2)
    assert len({(one.series, one.unit) for one in found}) == 10
    for one in found:
        values = series[one.series][:, one.unit]
        assert one.auc == pytest.approx(chance(values, chosen))
        assert one.inside == pytest.approx(values[chosen].mean(), abs=1e-6)
        assert one.outside == pytest.approx(values[~chosen].mean(), abs=1e-6)
    strength = [abs(one.auc - 0.5) for one in found]
    assert strength == sorted(strength, reverse=True)


def test_of_units_that_tell_alike_the_clearer_comes_first():
    chosen = np.array([False] * 5 + [True])
    faint, clear = [0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, 5]
    found = standing_out([np.array([faint, clear], np.float32).T], chosen)
    assert [(one.unit, one.auc) for one in found] == [(1, 1.0), (0, 1.0)]


@pytest.mark.parametrize("share", [False, True])
def test_all_or_no_steps_tell_nothing(share):
    with pytest.raises(ConfigError, match="some of the 4 steps"):
        standing_out([np.zeros((4, H))], np.full(4, share))
