"""Streaming gives, step by step, what the layer gives over the whole sequence."""

import copy
import threading

import pytest
import torch

import ostinato
from ostinato.compiler import build
from ostinato.config.cells import CELL_NAMES
from ostinato.native import library as native_library

NATIVE = [name for name in CELL_NAMES if not isinstance(native_library.holding(name), str)]


@pytest.fixture
def compiles():
    """Whether cells can be compiled."""
    return not isinstance(native_library.load(), str) and not isinstance(build.compiler(), str)


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def pieces(stream: object, x: torch.Tensor) -> torch.Tensor:
    return torch.stack([stream.step(x_t) for x_t in x])


def fields(state: object) -> tuple[torch.Tensor, ...]:
    return (state,) if isinstance(state, torch.Tensor) else tuple(state)


#: Of the cells that are compiled first, some seconds for each: one of each form of recurrence.
QUICK = {"ugrnn", "mogrifier_lstm", "min_gru"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=() if one in QUICK or one in NATIVE else pytest.mark.slow) for one in CELL_NAMES],
)
@pytest.mark.parametrize(("layers", "N"), [(1, 1), (3, 4)])
def test_steps_are_the_whole_sequence(name, layers, N, compiles):
    layer = ostinato.Recurrent(name, 7, 18, layers).eval()
    x = torch.randn(9, N, 7)
    expected, final = layer(x)
    stream = layer.stream(N)
    assert (stream.reason == "") == (name in NATIVE or compiles)
    torch.testing.assert_close(pieces(stream, x), expected.detach(), rtol=1e-5, atol=1e-6)
    for found, other in zip(fields(stream.state), fields(final), strict=True):
        torch.testing.assert_close(found, other.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NATIVE)
def test_packed_weights_change_no_bit(name):
    for D, H, threads in ((3, 5, 1), (40, 70, 2), (130, 100, 3)):
        torch.set_num_threads(threads)
        layer, x = ostinato.Recurrent(name, D, H), torch.randn(4, 2, D)
        assert torch.equal(pieces(layer.stream(2), x), layer(x)[0])


@pytest.mark.parametrize(("kind", "options"), [("LSTM", {"proj_size": 4}), ("GRU", {"zoneout": 0.3}), ("RNN", {})])
def test_what_has_no_native_step_runs_on_the_reference(kind, options):
    for dtype in (torch.float64, torch.float32):
        layer = getattr(ostinato, kind)(3, 6, 2, **options, dtype=dtype).eval()
        stream, x = layer.stream(2), torch.randn(5, 2, 3, dtype=dtype)
        torch.testing.assert_close(pieces(stream, x), layer(x)[0].detach())
        assert stream.reason or dtype == torch.float32


def test_a_stream_is_evaluation_whatever_the_layer_does():
    layer, x = ostinato.LSTM(3, 6, 2, dropout=0.5, recurrent_dropout=0.5), torch.randn(5, 2, 3)
    found = pieces(layer.stream(2), x)
    torch.testing.assert_close(found, layer.eval()(x)[0].detach())


def test_out_is_written_and_nothing_allocated():
    layer, x, out = ostinato.GRU(3, 6, 2), torch.randn(4, 2, 3), torch.full((2, 6), torch.nan)
    stream, expected = layer.stream(2), layer(x)[0]
    for t in range(4):
        assert stream.step(x[t], out=out) is out
        torch.testing.assert_close(out, expected[t].detach())
    first, second = stream.step(x[0]), stream.step(x[1])
    assert first.data_ptr() != second.data_ptr()
    with torch.profiler.profile(profile_memory=True) as profile:
        for x_t in x:
            stream.step(x_t, out=out)
    assert not [event for event in profile.events() if event.cpu_memory_usage]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_output_where_the_input_is(threads):
    torch.set_num_threads(threads)
    layer, x = ostinato.LSTM(150, 150), torch.randn(1, 150)
    expected = layer.stream(1).step(x)
    for _ in range(20):
        same = x.clone()
        assert torch.equal(layer.stream(1).step(same, out=same), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inference_mode_in_and_out(dtype):
    layer, x = ostinato.GRU(3, 6, dtype=dtype), torch.randn(2, 1, 3, dtype=dtype)
    expected = layer(x)[0].detach()
    with torch.inference_mode():
        stream = layer.stream(1)
        stream.step(x[0])
    stream.reset()
    torch.testing.assert_close(pieces(stream, x), expected, rtol=1e-5, atol=1e-6)
    with torch.inference_mode():
        stream.reset()
        torch.testing.assert_close(pieces(stream, x), expected, rtol=1e-5, atol=1e-6)


def test_weights_that_do_not_fit_are_said_again_and_again():
    layer, x = ostinato.LSTM(3, 6), torch.randn(1, 3)
    stream, before = layer.stream(1), layer.weight_hh_l0
    layer.weight_hh_l0 = torch.nn.Parameter(before.detach().double())
    for _ in range(2):
        with pytest.raises(ValueError, match="float32"):
            stream.step(x)
    layer.weight_hh_l0 = before
    torch.testing.assert_close(stream.step(x), layer(x.unsqueeze(0))[0][0].detach(), rtol=1e-5, atol=1e-6)


def test_inputs_of_any_stride():
    layer, wide = ostinato.LSTM(3, 6), torch.randn(5, 3, 2, 2)
    x = wide[..., 1].transpose(1, 2)
    torch.testing.assert_close(pieces(layer.stream(2), x), layer(x)[0].detach())


def test_state_can_be_read_set_and_reset():
    layer, x = ostinato.LSTM(3, 6, 2), torch.randn(4, 2, 3)
    stream = layer.stream(2)
    whole = pieces(stream, x)
    stream.reset()
    head = pieces(stream, x[:2])
    kept = stream.state
    torch.testing.assert_close(torch.cat([head, pieces(stream, x[2:])]), whole, rtol=0, atol=0)
    stream.state = kept
    torch.testing.assert_close(pieces(stream, x[2:]), whole[2:], rtol=0, atol=0)
    stream.state = kept
    stream.reset(rows=[1])
    tail = pieces(stream, x[2:])
    torch.testing.assert_close(tail[:, 0], whole[2:, 0], rtol=0, atol=0)
    torch.testing.assert_close(tail[:, 1:], layer(x[2:, 1:])[0].detach())


def changes(layer: torch.nn.Module) -> dict[str, object]:
    def optimise():
        layer(torch.randn(4, 2, 3))[0].square().sum().backward()
        torch.optim.SGD(layer.parameters(), lr=0.5).step()

    def load(**kwargs: bool):
        other = {name: torch.randn_like(tensor) for name, tensor in layer.state_dict().items()}
        layer.load_state_dict(other, **kwargs)

    def replace():
        layer.weight_hh_l0 = torch.nn.Parameter(torch.randn(24, 6))

    return {
        "an optimiser": optimise,
        "load_state_dict": load,
        "load_state_dict with assign": lambda: load(assign=True),
        "another parameter": replace,
        "reset_parameters": layer.reset_parameters,
        "another dtype": lambda: layer.double(),
        "a parametrization": lambda: torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0"),
    }


@pytest.mark.parametrize("what", list(changes(ostinato.LSTM(3, 6))))
def test_weights_are_packed_again_when_they_change(what):
    layer, x = ostinato.LSTM(3, 6), torch.randn(4, 2, 3)
    stream = layer.stream(2)
    before = pieces(stream, x)
    state = stream.state
    changes(layer)[what]()
    x = x.to(layer.bias_ih_l0.dtype)
    stream.step(x[0])
    stream.state = tuple(field.to(x.dtype) for field in state)
    expected = layer(x, tuple(field.to(x.dtype) for field in state))[0].detach()
    torch.testing.assert_close(pieces(stream, x), expected)
    assert what == "a parametrization" or not torch.equal(before.to(x.dtype), layer(x)[0])


def test_a_write_that_cannot_be_seen_needs_refresh():
    layer, x = ostinato.LSTM(3, 6), torch.randn(4, 2, 3)
    stream = layer.stream(2)
    layer.weight_hh_l0.data.mul_(2)
    stream.refresh()
    torch.testing.assert_close(pieces(stream, x), layer(x)[0].detach())


def test_several_threads_each_with_a_stream_of_its_own():
    layer, xs = ostinato.LSTM(8, 40, 2), torch.randn(4, 50, 3, 8)
    found: dict[int, torch.Tensor] = {}

    def work(i: int) -> None:
        found[i] = pieces(layer.stream(3), xs[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        torch.testing.assert_close(found[i], layer(xs[i])[0].detach())


def test_a_layer_with_a_stream_is_copied_and_gives_no_gradient_through_it():
    layer = ostinato.LSTM(3, 6)
    stream = layer.stream(2)
    y = stream.step(torch.randn(2, 3, requires_grad=True))
    assert not y.requires_grad
    assert torch.equal(copy.deepcopy(layer).weight_ih_l0, layer.weight_ih_l0)


def test_an_empty_batch():
    assert ostinato.LSTM(3, 6).stream(0).step(torch.zeros(0, 3)).shape == (0, 6)


@pytest.mark.parametrize(
    ("x", "out", "says"),
    [
        (torch.zeros(2, 4), None, r"x: expected torch.float32 on cpu of shape \(2, 3\), got .* of shape \(2, 4\)"),
        (torch.zeros(1, 3), None, r"got .* of shape \(1, 3\)"),
        (torch.zeros(2, 3).double(), None, "x: expected torch.float32 .* got torch.float64"),
        (torch.zeros(2, 3, device="meta"), None, "x: expected torch.float32 on cpu .* got torch.float32 on meta"),
        (torch.zeros(2, 3), torch.zeros(2, 5), r"out: expected torch.float32 on cpu of shape \(2, 6\), got .*\(2, 5\)"),
        (torch.zeros(2, 3), torch.zeros(6, 2).t(), "out: expected a dense tensor"),
    ],
)
def test_a_step_that_does_not_fit(x, out, says):
    with pytest.raises(ValueError, match=says):
        ostinato.LSTM(3, 6).stream(2).step(x, out=out)


def test_a_stream_that_cannot_be():
    with pytest.raises(ostinato.OstinatoError, match=r"bidirectional layer .* cannot stream"):
        ostinato.LSTM(3, 6, bidirectional=True).stream(1)
    with pytest.raises(ostinato.OstinatoError, match="batch_size: expected a whole number of at least 0, got -1"):
        ostinato.LSTM(3, 6).stream(-1)
    with pytest.raises(ValueError, match=r"hidden size \(1, 2, 6\) \(layers, N, size\) of .* h, got \(1, 3, 6\)"):
        ostinato.LSTM(3, 6).stream(2).state = (torch.zeros(1, 3, 6), torch.zeros(1, 2, 6))
