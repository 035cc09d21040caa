"""A recurrent layer alone for other programs: `ostinato.export(layer, to="onnx", out="layer.onnx")`.

There is no run to ask: what a layer reads and gives is the same whatever it was trained for.
"""

import copy
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.api.exporting.c import written
from ostinato.api.exporting.describing import CHECKS, near
from ostinato.api.results import Exported, ExportedFile
from ostinato.config.export import Export
from ostinato.core.errors import ConfigError, DataError
from ostinato.core.registry import options_set
from ostinato.interop.outgoing.c import Sample, identifier, recurrent_layer
from ostinato.interop.outgoing.described import Arrays, Described, flat, largest_difference, lengths
from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.interop.outgoing.onnx import require_free, require_onnx, write_onnx
from ostinato.interop.outgoing.onnx_runtime import largest_difference as apart_in_onnx_runtime
from ostinato.interop.outgoing.torch_script import layers as torch_layers
from ostinato.layers.eight_bits import INT8
from ostinato.layers.recurrent import Recurrent
from ostinato.runtime.archive import read
from ostinato.runtime.archive import write as write_archive
from ostinato.runtime.loading import whole_model
from ostinato.tasks.exporting import initial, lengths_port, state_ports

#: What a layer of another form than usual is refused for, where a format cannot say it.
_FORM = ("zoneout", "merge", "reverse", "hold_output")


def steps_first(layer: Recurrent) -> Recurrent:
    """The same layer, in evaluation, whose sequences and states lie steps first, as in every file.

    Raises:
        ConfigError: its weights are of 8 bits.
    """
    if layer.weights == INT8:
        raise ConfigError("this layer multiplies by weights of 8 bits: set layer.weights = 'float32' to export it")
    same = copy.copy(layer)
    same.training, same.batch_first, same.batch_first_state = False, False, False
    return same


def model_of(layer: Recurrent) -> dict[str, Any]:
    """What formats ask of a layer, as a run's configuration says it of a model.

    Raises:
        DataError: layers of different cells, or a state dict that is not the layer's own tensors.
    """
    if layer._mixed:
        raise DataError("a stack of different cells is written to onnx and c alone")
    form = {name: getattr(layer, name) for name in (*_FORM, "num_layers", "bidirectional", "bias")}
    return {"cell": layer.cell.name, "hidden_size": layer.hidden_size, **options_set(layer.cell), **form}


class _Steps(nn.Module):
    """A layer of tensors alone, its state a tensor a field."""

    def __init__(self, layer: Recurrent) -> None:
        super().__init__()
        self.layer = layer
        self.kind = type(layer.initial_state(1))

    def forward(self, x: Tensor, lengths: Tensor, *fields: Tensor) -> tuple[Tensor, ...]:
        """Output and state."""
        state: Any = self.kind(*fields) if hasattr(self.kind, "_fields") else tuple(fields)
        output, after = self.layer(x, state, lengths)
        return output, *((after,) if isinstance(after, Tensor) else after)


def to_onnx(layer: Recurrent, options: Export, folder: Path) -> Exported:
    """One graph: a piece of each sequence and the state before it in, outputs and the state after it out."""
    require_onnx()
    before, after = state_ports(layer.initial_state(1))
    inputs = [Port("x", ("T", "N", layer.input_size), "features"), lengths_port(), *before]
    outputs = [Port("output", ("T", "N", layer.output_size), "of the last layer, zero beyond a length"), *after]
    graph = Graph(_Steps(layer).eval(), inputs, outputs, initial(layer.initial_state(1)))
    path = folder / "layer.onnx"
    fixed = options.fixed()
    require_free([graph], fixed)
    write_onnx(graph, path, {"cell": layer.cell.name}, options.opset, fixed)
    return _said(options, [path], apart_in_onnx_runtime(graph, path, CHECKS, fixed=fixed))


def to_numpy(layer: Recurrent, options: Export, folder: Path) -> Exported:
    """The file that `ostinato.runtime.load` makes a layer of."""
    model, path = model_of(layer), folder / "layer.npz"
    if layer.hold_output:
        raise DataError("--to numpy: the runtime's layers have no hold_output; --to onnx has it")
    own = {name: model[name] for name in ("zoneout", "merge", "reverse")}
    about = {"kind": "layer", "model": model, "options": own}
    write_archive(path, about, {name: tensor.detach().numpy() for name, tensor in layer.state_dict().items()})
    try:
        loaded = whole_model(read(path))
    except ConfigError as error:
        raise DataError(f"--to numpy: {str(error).removeprefix(f'{path}: ')}; --to onnx has every cell") from None
    apart = _apart(layer, lambda inputs: loaded(inputs["x"], lengths=inputs["lengths"]), short=True)
    return _said(options, [path], apart)


_SCRIPT = '''"""A layer that Ostinato wrote: PyTorch alone runs it."""

from pathlib import Path

import torch
from torch import nn


def load(weights: str | Path = Path(__file__).parent / "weights.pt") -> nn.{kind}:
    """The trained layer, in evaluation."""
    layer = nn.{kind}({arguments})
    layer.load_state_dict(torch.load(weights, weights_only=True))
    return layer.eval()


if __name__ == "__main__":
    print(load())
'''


def to_torch(layer: Recurrent, options: Export, folder: Path) -> Exported:
    """A state dict of torch.nn's own class, and a script that loads it."""
    made = torch_layers(model_of(layer), bidirectional=layer.bidirectional)
    kind, hidden = made.pop("kind"), made.pop("hidden_size")
    arguments = ", ".join([f"{layer.input_size}, {hidden}", *(f"{name}={value!r}" for name, value in made.items())])
    script, weights = folder / "layer.py", folder / "weights.pt"
    script.write_text(_SCRIPT.format(kind=kind, arguments=arguments), encoding="utf-8")
    torch.save({name: tensor.detach().clone() for name, tensor in layer.state_dict().items()}, weights)
    loaded = runpy.run_path(str(script))["load"]()

    def answer(inputs: Arrays) -> Any:
        with torch.no_grad():
            return loaded(torch.from_numpy(inputs["x"]))

    return _said(options, [script, weights], _apart(layer, answer, short=False))


#: Steps of a sequence that C is compared on, at most.
_LONGEST = 40


def to_c(layer: Recurrent, options: Export, folder: Path) -> Exported:
    """A header and a source in C99, compiled and compared where there is a compiler."""
    name, cells = identifier(options.name), ", ".join(dict.fromkeys(cell.name for cell in layer.cells))
    ways = " in both directions" if layer.bidirectional else " from the end" if layer.reverse else ""
    about = [f"Recurrent layers ({cells}, {layer.num_layers} x {layer.hidden_size} units{ways})."]
    program = recurrent_layer(layer, about, name, options.weights)
    return written(program, folder, options, lambda: _sample(layer), "layer")


@torch.no_grad()
def _sample(layer: Recurrent) -> Sample:
    """Random sequences, and what the layer makes of them."""
    draw, given, expected = np.random.default_rng(1), b"", []
    for length in [0, 1, *draw.integers(2, _LONGEST, CHECKS - 2).tolist()]:
        x = draw.standard_normal((length, 1, layer.input_size)).astype(np.float32)
        given += np.int32(length).tobytes() + x.tobytes()
        expected.append(layer(torch.from_numpy(x))[0].numpy().ravel())
    return Sample(given, np.concatenate(expected), np.float32(1), CHECKS)


#: By the format: the ending of the file, where it is one, and what writes.
WRITERS: Mapping[str, tuple[str, Callable[[Recurrent, Export, Path], Exported]]] = {
    "onnx": (".onnx", to_onnx),
    "numpy": (".npz", to_numpy),
    "torch": ("", to_torch),
    "c": ("", to_c),
}


def _apart(layer: Recurrent, other: Callable[[Arrays], Any], *, short: bool) -> float:
    """How far another program's outputs and states are from the layer's, of sequences of one length or of any."""

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        own = lengths(draw, N, T) if short else np.full(N, T, np.int64)
        return {"x": draw.standard_normal((T, N, layer.input_size)).astype(np.float32), "lengths": own}

    def outputs(layer: nn.Module, given: Mapping[str, Tensor]) -> list[Tensor]:
        return list(flat(layer(given["x"], lengths=given["lengths"])))

    described = Described("layer", {}, example, outputs)
    return largest_difference(layer, described, lambda inputs: list(flat(other(inputs))), CHECKS)


def _said(options: Export, paths: list[Path], apart: float) -> Exported:
    """The result of files so far from the layer."""
    near(apart, f"--to {options.to}: what was written gives other numbers than the layer")
    files = [ExportedFile(file=path.name, bytes=path.stat().st_size) for path in paths]
    return Exported(run=options.run, task="layer", to=options.to, files=files, checked=CHECKS, difference=apart)
