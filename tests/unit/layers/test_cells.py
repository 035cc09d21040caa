"""Layers of a cell, or of several: what they are made of, and states of any shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import ostinato
from ostinato import kernels
from ostinato.cells import form
from ostinato.cells.contract import CellDefaults, Parameter
from ostinato.cells.gru import GRU
from ostinato.cells.lstm import LSTM
from ostinato.cells.lstm_peephole import PeepholeLSTM
from ostinato.cells.noise import StateNoise
from ostinato.cells.rnn import ElmanRNN
from ostinato.testing import check_cell

HEADS, K = 2, 3


class Memory(NamedTuple):
    matrix: Tensor
    normaliser: Tensor
    steps: Tensor


@dataclass(frozen=True)
class Fading(CellDefaults):
    """Fading memory in heads, with no product on the way from step to step.

    M_t = a_t * M_{t-1} + v_t k_t',   n_t = a_t * n_{t-1} + |k_t|,   s_t = s_{t-1} + 1
    y_t = W_o (M_t summed over its columns / (1 + n_t)) / s_t
    """

    name: ClassVar[str] = "fading"
    gates: ClassVar[tuple[str, ...]] = ("a", "k", "v")
    State: ClassVar[type[Memory]] = Memory
    paper: ClassVar[str] = "none: a cell for tests"
    output_is_state: ClassVar[bool] = False

    input_size: int
    hidden_size: int = HEADS * K
    bias: bool = True

    def parameters(self) -> Mapping[str, Parameter]:
        rows = 3 * self.hidden_size
        found = {"weight_ih": Parameter((rows, self.input_size), role="input")}
        if self.bias:
            found["bias_ih"] = Parameter((rows,), role="input")
        return found | {"weight_o": Parameter((self.hidden_size, self.hidden_size))}

    def state_sizes(self) -> Mapping[str, tuple[int, ...]]:
        return {"matrix": (HEADS, self._k, self._k), "normaliser": (HEADS, self._k), "steps": ()}

    @property
    def _k(self) -> int:
        return self.hidden_size // HEADS

    def step(self, p: Mapping[str, Tensor], projected: Tensor, state: Memory) -> tuple[None, Memory]:
        a, k, v = (part.unflatten(-1, (HEADS, self._k)) for part in projected.chunk(3, dim=-1))
        a = a.sigmoid()
        matrix = a.unsqueeze(-1) * state.matrix + v.unsqueeze(-1) * k.unsqueeze(-2)
        return None, Memory(matrix, a * state.normaliser + k * k, state.steps + 1)

    def readout(self, p: Mapping[str, Tensor], states: Memory) -> Tensor:
        read = states.matrix.sum(-1) / (1 + states.normaliser * states.normaliser)
        return F.linear(read.flatten(-2), p["weight_o"]) / (1 + states.steps * states.steps).unsqueeze(-1)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return [cls(3), cls(2, 4, bias=False)]


def by_hand(layer: ostinato.Recurrent, x: Tensor, state: Any, suffix: str) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One sequence `[T, D]` and its state without N, in float64, by loops over heads and units."""
    w, b = layer.get_parameter(f"weight_ih_{suffix}"), layer.get_parameter(f"bias_ih_{suffix}")
    matrix, normaliser, steps = (field.clone() for field in state)
    outputs = []
    for row in x:
        a, k, v = (w @ row + b).reshape(3, HEADS, K)
        a = 1 / (1 + torch.exp(-a))
        read = torch.zeros(HEADS, K, dtype=x.dtype)
        for head in range(HEADS):
            for i in range(K):
                for j in range(K):
                    matrix[head, i, j] = a[head, i] * matrix[head, i, j] + v[head, i] * k[head, j]
                normaliser[head, i] = a[head, i] * normaliser[head, i] + k[head, i] ** 2
                read[head, i] = matrix[head, i].sum() / (1 + normaliser[head, i] ** 2)
        steps += 1
        outputs.append(layer.get_parameter(f"weight_o_{suffix}") @ read.flatten() / (1 + steps**2))
    return torch.stack(outputs) if outputs else x.new_zeros(0, HEADS * K), (matrix, normaliser, steps)


@pytest.mark.slow
def test_a_state_of_any_shape_passes_every_check():
    check_cell(Fading)


def test_lengths_directions_and_a_state_given_hold_for_fields_of_any_shape():
    torch.manual_seed(0)
    layer = ostinato.Recurrent(Fading(4), bidirectional=True, dtype=torch.float64)
    x, lengths = torch.randn(5, 3, 4, dtype=torch.float64), [5, 0, 2]
    start = Memory(*(torch.randn_like(field) for field in layer.initial_state(3)))
    assert [tuple(field.shape) for field in start] == [(2, 3, HEADS, K, K), (2, 3, HEADS, K), (2, 3)]
    with torch.no_grad():
        output, final = layer(x, start, lengths=torch.tensor(lengths))
        for n, length in enumerate(lengths):
            for direction, suffix in enumerate(("l0", "l0_reverse")):
                valid = x[:length, n].flip(0) if direction else x[:length, n]
                expected, after = by_hand(layer, valid, [field[direction, n] for field in start], suffix)
                expected = expected.flip(0) if direction else expected
                width = slice(direction * HEADS * K, (direction + 1) * HEADS * K)
                torch.testing.assert_close(output[:length, n, width], expected)
                assert not output[length:, n].any()
                for field, one in zip(final, after, strict=True):
                    torch.testing.assert_close(field[direction, n], one)


def test_streams_masks_and_kept_state_go_on_where_the_sequence_was():
    torch.manual_seed(0)
    layer = ostinato.Recurrent(Fading(4), num_layers=2, dtype=torch.float64).eval()
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    whole, final = layer(x)
    stream = layer.stream(3)
    assert stream.reason
    torch.testing.assert_close(torch.stack([stream.step(x_t) for x_t in x]), whole.detach())
    torch.testing.assert_close(tuple(stream.state), tuple(final))
    stream.reset([1])
    assert all(not field[:, 1].any() and field[:, 0].any() for field in stream.state)
    kept = ostinato.KeptState()
    kept.keep(layer(x[:4])[1])
    torch.testing.assert_close(layer(x[4:], kept.state)[0], whole[4:])
    kept.reset(torch.tensor([False, True, False]))
    torch.testing.assert_close(layer(x[4:], kept.state)[0][:, 1], layer(x[4:])[0][:, 1])
    torch.testing.assert_close(layer(x[4:], kept.state)[0][:, 0], whole[4:, 0])
    alone, last = layer(x[:, 0])  # without a batch
    torch.testing.assert_close(alone, whole[:, 0])
    torch.testing.assert_close(layer(x[:, 0], last)[0], layer(x[:, :1], [f[:, :1] for f in final])[0][:, 0])
    mask = torch.rand(6, 3) < 0.5
    masked, _, states = layer(x, mask=mask, all_states=True)
    for n in range(3):
        torch.testing.assert_close(masked[mask[:, n], n], layer(x[mask[:, n], n])[0])
    after = layer(x[mask[:, 0], 0].unsqueeze(1))[1]
    torch.testing.assert_close(tuple(field[:, -1, 0] for field in states), tuple(field[:, 0] for field in after))


def test_zoneout_holds_every_field_and_the_output_follows_the_states():
    torch.manual_seed(0)
    cell = Fading(4)
    p = {name: torch.randn(one.shape, dtype=torch.float64) for name, one in cell.parameters().items()}
    x = torch.randn(3, 2, 4, dtype=torch.float64)
    state = Memory(*(torch.randn_like(field) for field in cell.initial_state(2, x)))
    all_held = StateNoise(zoneout=[torch.ones(3, *field.shape, dtype=torch.float64) for field in state])
    ran = kernels.run(cell, p, x, state, noise=all_held, keep_states=True)
    for field, before in zip(ran.final, state, strict=True):
        torch.testing.assert_close(field, before, rtol=0, atol=0)
    same = Memory(*(field.expand(3, *field.shape) for field in state))
    torch.testing.assert_close(ran.output, cell.readout(p, same))


def test_noise_on_what_is_not_fed_back_is_refused():
    for noise in ({"recurrent_dropout": 0.1}, {"weight_drop": 0.1}):
        with pytest.raises(ostinato.OstinatoError, match=r"recurrent product, which the cell 'fading' has not"):
            ostinato.Recurrent(Fading(3), **noise)
        with pytest.raises(ostinato.OstinatoError, match="'fading'"):
            ostinato.Recurrent([GRU(3, 4), Fading(4)], **noise)
        ostinato.Recurrent(GRU(3, 4), **noise)


@pytest.mark.parametrize("options", [{"recurrent_dropout": 0.5}, {"weight_drop": 0.5}])
def test_of_a_cell_that_does_not_say_whether_it_feeds_back_its_step_tells(options):
    class Undeclared(Fading):
        name = "undeclared"
        feeds_back = None

    with pytest.raises(ostinato.OstinatoError, match="undeclared"):
        ostinato.Recurrent(Undeclared(3), **options)


def test_a_cell_makes_the_layer_that_its_name_makes():
    torch.manual_seed(0)
    named = ostinato.Recurrent("lstm", 3, 5, 2, bidirectional=True, proj_size=2)
    torch.manual_seed(0)
    given = ostinato.Recurrent(LSTM(3, 5, proj_size=2), num_layers=2, bidirectional=True)
    assert list(given.state_dict()) == list(named.state_dict())
    x = torch.randn(4, 2, 3)
    torch.testing.assert_close(given(x), named(x), rtol=0, atol=0)
    listed = ostinato.Recurrent(list(named.cells), bidirectional=True)
    listed.load_state_dict(named.state_dict())
    torch.testing.assert_close(listed(x), named(x), rtol=0, atol=0)
    assert (listed.input_size, listed.hidden_size, listed.num_layers) == (3, 5, 2)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_mixed_stack_is_its_layers_one_after_the_other(bidirectional):
    torch.manual_seed(0)
    S = 1 + bidirectional
    cells = [LSTM(3, 5), GRU(5 * S, 4), PeepholeLSTM(4 * S, 4)]
    stack = ostinato.Recurrent(cells, bidirectional=bidirectional).eval()
    x, lengths = torch.randn(6, 2, 3), torch.tensor([6, 3])
    start = tuple(torch.randn_like(field) for field in stack.initial_state(2))
    assert [tuple(field.shape) for field in start] == [(S, 2, 5), (S, 2, 5), (S, 2, 4), (S, 2, 4), (S, 2, 4)]
    output, final, states = stack(x, start, lengths=lengths, all_states=True)
    read, fields = x, {0: slice(0, 2), 1: slice(2, 3), 2: slice(3, 5)}
    for index, cell in enumerate(cells):
        layer = ostinato.Recurrent(cell, bidirectional=bidirectional)
        own = {name.replace(f"_l{index}", "_l0"): w for name, w in stack.state_dict().items() if f"_l{index}" in name}
        layer.load_state_dict(own)
        read, last, every = layer(read, start[fields[index]], lengths=lengths, all_states=True)
        torch.testing.assert_close(final[fields[index]], tuple(last))
        torch.testing.assert_close(states[fields[index]], tuple(every))
    torch.testing.assert_close(output, read)
    if not bidirectional:
        stream = stack.stream(2)
        stream.state = start
        torch.testing.assert_close(torch.stack([stream.step(x_t) for x_t in x])[:, 0], output[:, 0].detach())
    with pytest.raises(ValueError, match="h_l1"):
        stack(x, (*start[:2], start[2][..., :3], *start[3:]))


@pytest.mark.parametrize(
    ("cells", "arguments", "message"),
    [
        ([GRU(3, 4), GRU(3, 4)], {}, r"layer 1 \(gru\) expects 3 features, the layer below gives 4"),
        ([GRU(3, 4), GRU(4, 4)], {"bidirectional": True}, "gives 8"),
        ([GRU(3, 4), GRU(4, 4)], {"num_layers": 3}, "num_layers=3 layers, got 2"),
        ([], {}, "got 0"),
        (GRU(3, 4), {"input_size": 4}, "input_size=4 beside a cell of input_size=3"),
        (GRU(3, 4), {"hidden_size": 5}, "hidden_size=5 beside a cell of hidden_size=4"),
        (GRU(3, 4), {"bias": False}, "bias=False"),
        (GRU(3, 4), {"activation": "relu"}, "'activation'"),
        ("gru", {"input_size": 3}, "hidden_size should be of type int"),
    ],
)
def test_what_does_not_fit_is_said(cells, arguments, message):
    with pytest.raises(ostinato.OstinatoError, match=message):
        ostinato.Recurrent(cells, **arguments)


@pytest.mark.slow
def test_a_cell_that_is_not_registered_runs_by_its_own_equations_whatever_its_name():
    @dataclass(frozen=True)
    class Other(ElmanRNN):
        name: ClassVar[str] = "rnn"

        def step(self, p: Any, projected: Tensor, state: Any) -> Any:
            h = (projected + F.linear(state.h, p["weight_hh"], p["bias_hh"])).sin()
            return h, type(state)(h)

    torch.manual_seed(0)
    layer, x = ostinato.Recurrent(Other(3, 4)), torch.randn(1, 2, 3)
    expected = (F.linear(x, layer.weight_ih_l0, layer.bias_ih_l0) + layer.bias_hh_l0).sin()
    torch.testing.assert_close(layer(x)[0], expected)


def test_forms_are_what_the_equations_do():
    x = torch.zeros(1, 1)
    for cell in (LSTM(3, 5, proj_size=2), GRU(3, 5), Fading(3)):
        sizes = {name: tuple(f.shape[1:]) for name, f in zip(cell.State._fields, cell.initial_state(1, x), strict=True)}
        assert form.state_sizes(cell) == sizes
    assert form.recurrent_weights(LSTM(3, 5)) == ("weight_hh",)
    assert form.width_asked_for("lstm", {"proj_size": 2}) == form.width_asked_for("jordan", {"output_units": 2}) == 2
    assert form.width_asked_for("gru", {}) == form.width_asked_for("unheard of", {"proj_size": 2}) == 0
