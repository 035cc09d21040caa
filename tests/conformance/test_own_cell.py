"""A researcher's cell, registered from outside, gets all that the package's own have."""

import copy
import pickle
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

import ostinato
from ostinato import kernels
from ostinato.cells.contract import HiddenState
from ostinato.cells.gru import GRU
from ostinato.core import registry
from ostinato.core.registry import registered, unregister
from ostinato.testing import check_cell
from ostinato.testing.samples import layer_of
from tests.conformance import own_cell
from tests.conformance.own_cell import FeedbackMGU


@pytest.fixture
def own():
    torch.set_num_threads(1)
    yield ostinato.register(FeedbackMGU).name
    unregister(FeedbackMGU.name)


@pytest.mark.slow
def test_conformance_by_name(own):
    check_cell(own, own_cell.forward)


def test_conformance_of_a_class_that_is_not_registered():
    check_cell(FeedbackMGU, own_cell.forward)
    assert FeedbackMGU.name not in registered()


def test_as_a_layer_stacked_both_ways_with_lengths(own):
    torch.manual_seed(0)
    layer = ostinato.Recurrent(own, 3, 5, 2, bidirectional=True, batch_first=True, output_units=4, dtype=torch.float64)
    x, lengths = torch.randn(3, 6, 3, dtype=torch.float64), [6, 2, 0]
    output, final = layer(x, lengths=torch.tensor(lengths))
    p = {name: tensor.detach().numpy() for name, tensor in layer.named_parameters()}
    for n, length in enumerate(lengths):
        below = x[n, :length, None].numpy()
        for i in range(2):
            ways = []
            for s, suffix in enumerate(("", "_reverse")):
                mine = {k.removesuffix(f"_l{i}{suffix}"): v for k, v in p.items() if k.endswith(f"_l{i}{suffix}")}
                zeros = (torch.zeros(1, 4).double().numpy(), torch.zeros(1, 5).double().numpy())
                y, state = own_cell.forward(below[::-1] if s else below, mine, zeros, output_units=4)
                ways.append(torch.from_numpy(y[::-1].copy() if s else y))
                for field, expected in zip(final, state, strict=True):
                    torch.testing.assert_close(field[2 * i + s, n], torch.from_numpy(expected)[0])
            below = torch.cat(ways, dim=-1).numpy()
        torch.testing.assert_close(output[n, :length], torch.from_numpy(below)[:, 0])
        assert not output[n, length:].any()


def test_copies_and_pickles(own):
    layer = ostinato.Recurrent(own, 3, 5)
    x = torch.randn(4, 2, 3)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(other(x)[0], layer(x)[0], rtol=0, atol=0)


def test_defining_a_cell_twice_replaces_it_and_another_class_may_not_take_its_name(own):
    assert ostinato.register(FeedbackMGU) is FeedbackMGU
    thief = type("Thief", (FeedbackMGU,), {})
    with pytest.raises(ostinato.OstinatoError, match="'feedback_mgu' is taken"):
        ostinato.register(thief)
    with pytest.raises(ostinato.OstinatoError, match="lacks name, gates"):
        ostinato.register(int)


@dataclass(frozen=True)
class Broken(GRU):
    """A GRU that forgets to say what is fed back."""

    name: ClassVar[str] = "broken"

    def step(self, p, projected, state):
        p = {name: tensor for name, tensor in p.items() if name != "recurrent_mask"}
        return super().step(p, projected, state)


@dataclass(frozen=True)
class Looking(GRU):
    """A GRU whose sequences see each other."""

    name: ClassVar[str] = "looking"

    def step(self, p, projected, state):
        h, _ = super().step(p, projected, state)
        h = h + 0.01 * h.mean(0, keepdim=True)
        return h, HiddenState(h)


@dataclass(frozen=True)
class Detached(GRU):
    """A GRU through which no gradient flows back in time."""

    name: ClassVar[str] = "detached"

    def step(self, p, projected, state):
        return super().step(p, projected, HiddenState(state.h.detach()))


@dataclass(frozen=True)
class Promoting(GRU):
    """A GRU that computes in float32 whatever it is given."""

    name: ClassVar[str] = "promoting"

    def step(self, p, projected, state):
        h, _ = super().step(p, projected, state)
        return h.float() if h.dtype == torch.bfloat16 else h, HiddenState(h)


@pytest.mark.parametrize(
    ("kind", "check", "says"),
    [
        (Broken, "recurrent_dropout", "changes nothing: multiply"),
        (Looking, "padding", "sequence 0"),
        (Detached, "gradient", "initial h"),
        (Promoting, "bfloat16", "float32, expected torch.bfloat16"),
    ],
)
def test_a_fault_is_found_and_named(kind, check, says, monkeypatch):
    monkeypatch.setenv("OSTINATO_COMPILE", "0")  # compiled, a cell computes in float32 and cannot give other dtypes
    with pytest.raises(AssertionError, match=rf"check '{check}'(.|\n)*{says}"):
        check_cell(kind)


def test_a_cell_that_differs_from_its_oracle_is_refused():
    def other_way(x, p, state, output_units):
        y, (last, h) = own_cell.forward(x, p, state, output_units)
        return y + 1e-8, (last, h)

    with pytest.raises(AssertionError, match=r"check 'oracle': (.|\n)*output"):
        check_cell(FeedbackMGU, other_way)


def test_the_layer_for_a_check_is_of_the_configuration_itself():
    assert layer_of(FeedbackMGU(3, 5, output_units=4)).cell == FeedbackMGU(3, 5, output_units=4)


@pytest.mark.parametrize("name", ["lstm_projected", "gru"])
def test_a_name_that_the_kernels_know_gets_no_kernel(name, monkeypatch):
    """Whatever it is called, a cell of one's own is computed by its own equations."""
    monkeypatch.setattr(registry, "_CELLS", registry.registered())
    registry.unregister(name)
    ostinato.register(type("Mine", (FeedbackMGU,), {"name": name}))
    torch.manual_seed(0)
    layer, x = ostinato.Recurrent(name, 3, 5), torch.randn(4, 2, 3)
    choice = kernels.find(layer.cell, kernels.Request(torch.float32, "cpu", 4))
    assert choice.name != "native"
    assert f"native: {name} is another cell here" in choice.refused
    p = {parameter: getattr(layer, f"{parameter}_l0") for parameter in layer.cell.parameters()}
    expected = kernels.reference(layer.cell, p, x, layer.cell.initial_state(2, x)).output
    torch.testing.assert_close(layer(x)[0], expected)
