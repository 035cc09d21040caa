"""The runtime computes from the same weights what the layer computes, without torch."""

import json
import os
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ostinato
from ostinato import runtime
from ostinato.cells import form
from ostinato.config.cells import CELL_NAMES
from ostinato.core.errors import ConfigError, RunFolderError
from ostinato.core.registry import lookup
from ostinato.native import library as native_library
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.tag.model import Tagger

KERNELS = [name for name in CELL_NAMES if not isinstance(native_library.holding(name), str)]

pytestmark = pytest.mark.skipif(isinstance(native_library.load(), str), reason="no native library")


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def arrays(layer: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in layer.state_dict().items()}


def close(found, expected) -> None:
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_every_kernel_is_that_of_a_cell():
    of_cells = {form.kernel(lookup(name), projected) for name in CELL_NAMES for projected in (False, True)}
    assert set(native_library.load().cells) <= of_cells


@pytest.mark.parametrize("name", ["lstm", "gru_reset_before"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_resets(name, batch_first):
    layer = ostinato.Recurrent(name, 7, 18, 2, bidirectional=True)
    again = runtime.Recurrent(name, arrays(layer), batch_first=batch_first)
    x, lengths, resets = torch.randn(9, 4, 7), torch.tensor([9, 0, 3, 5]), torch.rand(9, 4) < 0.4
    anew = layer.cell.State(*(torch.randn_like(field) for field in layer.initial_state(4)))
    given = x.numpy(), resets.numpy()
    mine, borders = (array.swapaxes(0, 1) for array in given) if batch_first else given
    for state in (None, anew):
        expected, final = layer(x, lengths=lengths, resets=resets, reset_to=state)
        fields = None if state is None else [field.numpy() for field in state]
        found, after = again(mine, lengths=lengths.numpy(), resets=borders, reset_to=fields)
        close(found.swapaxes(0, 1) if batch_first else found, expected)
        for one, other in zip(after, final, strict=True):
            close(one, other)
    with pytest.raises(ValueError, match="resets: expected bool of shape"):
        again(mine, resets=borders[1:])


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    ("layers", "bidirectional", "bias"), [(1, False, True), (3, False, True), (2, True, True), (2, True, False)]
)
def test_whole_sequences(name, layers, bidirectional, bias):
    layer = ostinato.Recurrent(name, 7, 18, layers, bias, bidirectional=bidirectional)
    again = runtime.Recurrent(name, arrays(layer))
    x, lengths = torch.randn(9, 4, 7), torch.tensor([9, 0, 3, 5])
    state = layer.cell.State(*(torch.randn_like(field) for field in layer.initial_state(4)))
    for kwargs in ({}, {"lengths": lengths}):
        for given in (None, state):
            expected, final = layer(x, given, **kwargs)
            found, after = again(
                x.numpy(), given and tuple(f.numpy() for f in given), **{k: v.numpy() for k, v in kwargs.items()}
            )
            close(found, expected)
            for one, other in zip(after, final, strict=True):
                close(one, other)
    assert (again.input_size, again.hidden_size, again.num_layers) == (7, 18, layers)


@pytest.mark.parametrize("name", KERNELS)
def test_steps(name):
    layer = ostinato.Recurrent(name, 7, 18, 2, zoneout=0.2).eval()
    again, x = runtime.Recurrent(name, arrays(layer), zoneout=0.2), torch.randn(6, 4, 7)
    expected, final = layer(x)
    stream, out = again.stream(4), np.empty((4, 18), np.float32)
    close(np.stack([stream.step(x_t.numpy()) for x_t in x]), expected)
    for one, other in zip(stream.state, final, strict=True):
        close(one, other)
    stream.reset()
    assert stream.step(x[0].numpy(), out=out) is out
    close(out, expected[0])
    stream.step(x[1].numpy())
    stream.reset([1, 2])
    y = stream.step(x[0].numpy())
    close(y[1:3], expected[0, 1:3])
    assert np.abs(y[0] - expected[0, 0].detach().numpy()).max() > 1e-3


def test_a_stream_outlives_its_layer():
    layer, x = ostinato.LSTM(70, 180, 2), torch.randn(6, 4, 70)
    stream = runtime.Recurrent(
        "lstm", {name: array.copy() for name, array in arrays(layer).items()}, zoneout=0.2
    ).stream(4)
    stream.step(x[0].numpy())
    stream.reset()
    others = [np.full(size, np.nan, np.float32) for size in (180, 70 * 720, 180 * 720, 400 * 720) for _ in range(20)]
    assert not np.isnan([stream.step(x_t.numpy()) for x_t in x]).any()
    del others


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("name", "narrow"), [("lstm", {"proj_size": 5}), ("jordan", {"output_units": 5})])
def test_an_output_of_another_width(name, narrow, bias):
    """The output, and h or y of the state, are narrower than the cell; sequences, states and steps of both."""
    layer = ostinato.Recurrent(name, 7, 18, 2, bias, zoneout=0.2, **narrow).eval()
    again, x = runtime.Recurrent(name, arrays(layer), zoneout=0.2), torch.randn(6, 4, 7)
    state = layer.cell.State(*(torch.randn_like(field) for field in layer.initial_state(4)))
    expected, final = layer(x, state)
    found, after = again(x.numpy(), tuple(field.numpy() for field in state))
    close(found, expected)
    for one, other in zip(after, final, strict=True):
        close(one, other)
    stream = again.stream(4)
    for mine, given in zip(stream.state, state, strict=True):
        mine[:] = given.numpy()
    close(np.stack([stream.step(x_t.numpy()) for x_t in x]), expected)
    assert (again.hidden_size, again.output_size) == (18, 5)


@pytest.mark.parametrize(
    "options",
    [{"reverse": True}, *({"bidirectional": True, "merge": each} for each in ("sum", "mul", "mean"))],
    ids=str,
)
def test_directions_merge_and_run_in_reverse_alone(options):
    layer, x, lengths = ostinato.GRU(5, 6, 2, **options), torch.randn(7, 3, 5), torch.tensor([7, 3, 0])
    given = {name: value for name, value in options.items() if name != "bidirectional"}
    again = runtime.Recurrent("gru", layer.state_dict(), **given)
    close(again(x.numpy(), lengths=lengths.numpy())[0], layer(x, lengths=lengths)[0])
    with pytest.raises(ostinato.OstinatoError, match="begins with what comes last"):
        again.stream(1)


@pytest.mark.parametrize("threads", [1, 3])
def test_any_layout(threads):
    layer = ostinato.LSTM(5, 40, batch_first=True)
    again = runtime.Recurrent("lstm", layer.state_dict(), batch_first=True, threads=threads)
    wide = torch.randn(3, 5, 8, 2)
    for x in (wide[..., 0].transpose(1, 2), torch.randn(3, 8, 5), torch.zeros(0, 8, 5), torch.zeros(3, 0, 5)):
        close(again(x.numpy())[0], layer(x)[0])


def test_a_file_and_a_run_folder(tmp_path):
    model = torch.nn.ModuleDict({"recurrent": ostinato.GRU(5, 6, 2, zoneout=0.1), "decoder": torch.nn.Linear(6, 3)})
    x = torch.randn(4, 2, 5)
    expected = model.eval()["recurrent"](x)[0]
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    found = runtime.load(tmp_path / "model.safetensors", "gru", prefix="recurrent.", zoneout=0.1)
    close(found(x.numpy())[0], expected)
    (tmp_path / "config.json").write_text(json.dumps({"model": {"cell": "gru", "zoneout": 0.1}}))
    close(runtime.load(tmp_path)(x.numpy())[0], expected)


@pytest.mark.parametrize("option", [{"activation": "relu"}, {"recurrent_activation": "hard_sigmoid"}, {"clip": 3.0}])
def test_a_run_of_a_form_that_kernels_have_not_is_refused(tmp_path, option):
    layer = torch.nn.ModuleDict({"recurrent": ostinato.GRU(5, 6, **option)})
    save_file(layer.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model": {"cell": "gru", **option}}))
    ((name, value),) = option.items()
    with pytest.raises(ostinato.OstinatoError, match=f"the cells' usual form only, not {name}={value}"):
        runtime.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model": {"cell": "gru", "activation": "tanh", "clip": None}}))
    assert runtime.load(tmp_path).hidden_size == 6


def test_a_run_whose_last_layer_stands_apart(tmp_path):
    model = LanguageModel(11, 5, 7, 2, tied=True, last_size=5).eval()
    assert model.last is not None
    weights = {name: field for name, field in model.state_dict().items() if name != "decoder.weight"}  # tied
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model": {"cell": "lstm", "hidden_size": 7, "last_size": 5}}))
    with pytest.raises(ostinato.OstinatoError, match=r"load both parts, with prefix='recurrent\.'"):
        runtime.load(tmp_path)
    x = torch.randn(4, 2, 5)
    below, above = (runtime.load(tmp_path, prefix=f"{part}.") for part in ("recurrent", "last"))
    close(above(below(x.numpy())[0])[0], model.last(model.recurrent(x)[0])[0])


def test_it_runs_where_torch_is_not_installed(tmp_path):
    layer, x = ostinato.LSTM(5, 6), torch.randn(4, 2, 5)
    save_file(layer.state_dict(), tmp_path / "layer.safetensors")
    np.save(tmp_path / "x.npy", x.numpy())
    script = (
        "import sys, time\n"
        "sys.modules['torch'] = None  # as if it were not there\n"
        "begin = time.process_time()  # others' processes run beside it\n"
        "from ostinato import runtime\n"
        "took = time.process_time() - begin\n"
        "import numpy as np\n"
        f"layer = runtime.load({str(tmp_path / 'layer.safetensors')!r}, 'lstm')\n"
        f"x = np.load({str(tmp_path / 'x.npy')!r})\n"
        f"np.save({str(tmp_path / 'y.npy')!r}, layer(x)[0])\n"
        "layer.stream(2).step(x[0])\n"
        "print([m for m in ('lightning_fabric', 'tokenizers', 'tyro', 'rich') if m in sys.modules], took)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert not ran.returncode, ran.stderr
    heavy, took = ran.stdout.strip().rsplit(" ", 1)
    assert heavy == "[]"
    assert float(took) < 1.0  # far below on a quiet machine: scripts/runtime_import.py
    close(np.load(tmp_path / "y.npy"), layer(x)[0])


class TestMistakes:
    X: ClassVar[np.ndarray] = np.zeros((4, 2, 3), np.float32)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda w: w.pop("weight_hh_l0"), "weight_hh_l0 is missing"),
            (lambda w: w.update(weight_ci_l0=np.zeros(5)), "does not use weight_ci_l0"),
            (
                lambda w: w.update(weight_ih_l0=np.zeros((15, 3))),
                r"weight_ih_l0: expected shape \(20, any\) for .lstm., got \(15, 3\)",
            ),
            (lambda w: w.update(weight_hh_l0=np.zeros((15, 5))), "weight_hh_l0: expected 20 rows of 5"),
            (lambda w: w.clear(), "expected weights named as in a layer's state_dict"),
        ],
    )
    def test_weights(self, change, says):
        weights = arrays(ostinato.LSTM(3, 5))
        change(weights)
        with pytest.raises(ostinato.OstinatoError, match=says):
            runtime.Recurrent("lstm", weights)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"weight_ih_l1": (8, 10), "weight_hh_l1": (8, 2)}, r"weight_hh_l1: expected shape \(20, 5\)"),
            ({"weight_ih_l0_reverse": (20, 300)}, r"weight_ih_l0_reverse: expected shape \(20, 3\)"),
            ({"weight_hh_l0_reverse": (16, 4)}, r"weight_hh_l0_reverse: expected shape \(20, 5\)"),
        ],
    )
    def test_layers_of_several_sizes(self, change, says):
        weights = arrays(ostinato.LSTM(3, 5, 2, bidirectional=True))
        weights |= {name: np.zeros(shape, np.float32) for name, shape in change.items()}
        with pytest.raises(ostinato.OstinatoError, match=says):
            runtime.Recurrent("lstm", weights)

    def test_what_cannot_be_loaded(self, tmp_path):
        with pytest.raises(ostinato.OstinatoError, match="does not say which cell"):
            runtime.load(tmp_path / "x.safetensors")
        with pytest.raises(ostinato.OstinatoError, match="no such file"):
            runtime.load(tmp_path / "x.safetensors", "lstm")
        with pytest.raises(ostinato.OstinatoError, match="not a run folder"):
            runtime.load(tmp_path)
        with pytest.raises(ostinato.OstinatoError, match="another cell needs torch"):
            runtime.Recurrent("mine", {})
        with pytest.raises(ostinato.OstinatoError, match="cannot stream"):
            runtime.Recurrent("gru", arrays(ostinato.GRU(3, 5, bidirectional=True))).stream(1)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ((X.astype(np.float64),), "x: expected float32 .* got float64"),
            ((X[0],), r"x: expected float32 of shape \(any, any, 3\), got float32 of shape \(2, 3\)"),
            ((X.tolist(),), "x: expected a NumPy array, got list"),
            ((X, (np.zeros((1, 2, 5), np.float32),)), "expected a state of h, c, got 1"),
            ((X, (np.zeros((1, 3, 5), np.float32),) * 2), r"state's h: expected float32 of shape \(1, 2, 5\)"),
            ((X, None, np.array([4, -1])), r"lengths: expected from 0 to 4 .* got \[4, -1\]"),
            ((X, None, np.array([5, 1])), "lengths: expected from 0 to 4"),
            ((X, None, np.array([1.0, 1.0])), "lengths: expected 2 integers, got float64"),
            ((X, None, np.array([1])), r"lengths: expected 2 integers, got .* \(1,\)"),
        ],
    )
    def test_a_call(self, arguments, says):
        with pytest.raises(ValueError, match=says):
            runtime.Recurrent("lstm", arrays(ostinato.LSTM(3, 5)))(*arguments)

    def test_an_output_where_the_input_is(self):
        layer = runtime.Recurrent("lstm", arrays(ostinato.LSTM(150, 150)), threads=2)
        x = np.random.default_rng(0).normal(size=(1, 150)).astype(np.float32)
        expected = layer.stream(1).step(x)
        for _ in range(20):
            same = x.copy()
            assert np.array_equal(layer.stream(1).step(same, out=same), expected)

    def test_a_step(self):
        stream = runtime.Recurrent("lstm", arrays(ostinato.LSTM(3, 5))).stream(2)
        with pytest.raises(ValueError, match=r"x: expected float32 of shape \(2, 3\), got float64"):
            stream.step(np.zeros((2, 3)))
        with pytest.raises(ValueError, match=r"out: expected float32 of shape \(2, 5\)"):
            stream.step(self.X[0], out=np.zeros((2, 4), np.float32))
        with pytest.raises(ValueError, match="out: expected a dense array"):
            stream.step(self.X[0], out=np.zeros((5, 2), np.float32).T)


def test_zoneout_is_that_of_the_stack_and_not_of_a_taggers_spelling(tmp_path):
    sizes = {"cell": "lstm", "zoneout": 0.3}
    model = Tagger(9, 7, 3, 4, 5, character_hidden_size=6, **sizes).eval()
    save_file(dict(model.state_dict()), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model": sizes | {"hidden_size": 5}}))
    for layer, prefix in ((model.recurrent, "recurrent."), (model.spelling.recurrent, "spelling.recurrent.")):
        x = torch.randn(8, 2, layer.input_size)
        with torch.no_grad():
            close(runtime.load(tmp_path, prefix=prefix)(x.numpy())[0], layer(x)[0])


def test_what_is_damaged_is_named(tmp_path):
    for content in ("[]", '{"model": 3}', "{"):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(RunFolderError, match="not a run folder that can be read"):
            runtime.load(tmp_path)
    file = tmp_path / "weights.safetensors"
    save_file(ostinato.LSTM(3, 4).state_dict(), file)
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(ConfigError, match="damaged or cut off"):
        runtime.load(file, "lstm")


def test_weights_in_bfloat16_are_refused_with_their_type(tmp_path):
    layer = ostinato.LSTM(3, 4)
    file = tmp_path / "weights.safetensors"
    mine = {name: tensor.bfloat16() for name, tensor in layer.state_dict().items()}
    save_file({**mine, **{f"kept.{name}": tensor for name, tensor in layer.state_dict().items()}}, file)
    with pytest.raises(ConfigError, match="expected weights in a type of NumPy's, such as float32, got BF16"):
        runtime.load(file, "lstm")
    assert runtime.load(file, "lstm", prefix="kept.").hidden_size == 4  # what nobody asks for is not read


@pytest.mark.parametrize(
    ("given", "threads"), [("3", 3), ("4,2", 4), (" 2 ", 2), ("0", None), ("many", None), ("", None)]
)
def test_threads_from_the_environment(given, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    expected = threads or len(os.sched_getaffinity(0))
    assert runtime.Recurrent("lstm", arrays(ostinato.LSTM(3, 4)))._threads == expected


def test_threads_where_the_system_does_not_say_which_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert runtime.Recurrent("lstm", arrays(ostinato.LSTM(3, 4)))._threads == os.cpu_count()


def test_a_step_wants_an_array():
    stream = runtime.Recurrent("lstm", arrays(ostinato.LSTM(3, 4))).stream(1)
    with pytest.raises(ValueError, match="x: expected"):
        stream.step([[1.0, 2.0, 3.0]])
