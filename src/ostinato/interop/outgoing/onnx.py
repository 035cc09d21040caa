"""Graphs as ONNX files, by torch's exporter: no axis that is free becomes fixed, and metadata says how to feed it."""

import json
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ostinato.core.errors import ConfigError, DataError
from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.interop.outgoing.onnx_edges import let_empty_in
from ostinato.interop.outgoing.onnx_translations import exact

#: Sizes of the free axes that a graph is captured with: different ones, that none is taken for another.
_CAPTURED = (5, 3, 7, 4)
#: What protobuf can hold in one file, with a little room for the graph.
_MOST_BYTES = (1 << 31) - (1 << 24)
#: What torch's exporter takes by default.
_DEFAULT_OPSET = 20


def require_onnx() -> None:
    """That what writes and checks graphs is there.

    Raises:
        ConfigError: it is not.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"--to onnx needs the package {error.name}, which is not installed: pip install 'ostinato[export]'"
        ) from None


def require_free(graphs: Iterable[Graph], sizes: Mapping[str, int]) -> None:
    """That some graph has each of these axes free.

    Raises:
        ConfigError: none has.
    """
    free = {axis: None for graph in graphs for axis in graph.free}
    if unknown := [axis for axis in sizes if axis not in free]:
        raise ConfigError(f"--sizes: no axis {unknown[0]!r} is free here; there are {', '.join(free)}")


def write_onnx(
    graph: Graph,
    path: Path,
    metadata: Mapping[str, Any],
    opset: int | None = None,
    sizes: Mapping[str, int] | None = None,
) -> None:
    """Write one graph.

    Args:
        graph: what to write.
        path: the file.
        metadata: goes into the file's metadata_props; what is no text as JSON.
        opset: version of the operators; None for `_DEFAULT_OPSET`.
        sizes: of free axes that the file shall have fixed; other graphs' axes among them are passed over.

    Raises:
        ConfigError: an opset that torch's exporter or the converter has no way to.
        DataError: more weights than a file can hold.
    """
    _require_room(graph)
    model = _captured(graph, opset or _DEFAULT_OPSET)
    let_empty_in(model, graph)
    _name(model, graph)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    _check(model, graph)
    if sizes:
        _fix(model, sizes)
    path.write_bytes(model.SerializeToString())


def _require_room(graph: Graph) -> None:
    held = sum(tensor.numel() * tensor.element_size() for tensor in graph.module.state_dict().values())
    if held > _MOST_BYTES:
        raise DataError(f"--to onnx: the weights are {held:,} bytes; a file of ONNX holds at most {_MOST_BYTES:,}")


def _captured(graph: Graph, opset: int) -> Any:
    sizes = dict(zip(graph.free, _CAPTURED, strict=False))
    dims = {axis: torch.export.Dim(axis) for axis in graph.free}
    shapes = tuple({at: dims[axis] for at, axis in enumerate(port.axes) if axis in dims} for port in graph.inputs)
    with _quietly(), torch.no_grad():
        try:
            program = torch.onnx.export(
                _ByPlace(graph.module),
                graph.examples(sizes),
                dynamo=True,
                opset_version=opset,
                input_names=[port.name for port in graph.inputs],
                output_names=[port.name for port in graph.outputs],
                dynamic_shapes=(shapes,),
                custom_translation_table=exact(),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            why = str(error.__cause__ or error).strip().splitlines()[0]
            raise DataError(f"--to onnx: torch cannot write this model: {why}") from error
    assert program is not None
    model = program.model_proto
    written = next(one.version for one in model.opset_import if not one.domain)
    if written != opset:
        raise ConfigError(f"--opset {opset}: torch's exporter writes this model as opset {written}; leave it out")
    return model


class _ByPlace(torch.nn.Module):
    """A module whose arguments are one list for torch.export, however its own are declared."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: torch.Tensor) -> Any:
        """As the module."""
        return self.module(*inputs)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what torch's exporter has to say of packages that are not there, and of itself."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _name(model: Any, graph: Graph) -> None:
    """What each input and output is, beside it."""
    model.producer_name = "ostinato"
    for values, ports in ((model.graph.input, graph.inputs), (model.graph.output, graph.outputs)):
        by_name = {port.name: port for port in ports}
        for value in values:
            value.doc_string = by_name[value.name].meaning


def _check(model: Any, graph: Graph) -> None:
    """That it is a model of ONNX whose inputs and outputs have the axes they are said to have."""
    import onnx

    onnx.checker.check_model(model, full_check=True)
    for values, ports in ((model.graph.input, graph.inputs), (model.graph.output, graph.outputs)):
        found = {v.name: tuple(d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim) for v in values}
        for port in ports:
            if found.get(port.name) != port.axes:
                raise DataError(
                    f"--to onnx: {port.name} would have the axes {found.get(port.name)} where {port.axes} are meant: "
                    "a size that is to be free is frozen"
                )


def _fix(model: Any, sizes: Mapping[str, int]) -> None:
    """Give axes that are free a size, in place."""
    import onnx

    del model.graph.value_info[:]  # what lies between follows from the ends
    for value in (*model.graph.input, *model.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param in sizes:
                axis.dim_value = sizes[axis.dim_param]
    onnx.checker.check_model(model, full_check=True)


def said(port: Port) -> str:
    """A port as one line has it: `tokens [T, N] int64`."""
    return f"{port.name} [{', '.join(map(str, port.axes))}] {port.kind}"
