"""Format onnx: a file for each graph of the run's task, checked in ONNX Runtime."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from ostinato.api.exporting.describing import CHECKS, near
from ostinato.api.results import Exported, ExportedFile, ExportedTensor
from ostinato.api.run import Run
from ostinato.config.export import Export
from ostinato.core.errors import ConfigError, DataError
from ostinato.interop.outgoing.graphs import Port
from ostinato.interop.outgoing.onnx import require_free, require_onnx, write_onnx
from ostinato.interop.outgoing.onnx_runtime import largest_difference
from ostinato.tasks.contract import Exports

SUFFIX = ".onnx"


def write(run: Run, options: Export, folder: Path, *, single: bool) -> Exported:
    """Write, and check, each graph."""
    require_onnx()
    task = run.config["task"]
    if not isinstance(run.task, Exports):
        raise DataError(f"--to onnx: a model of task {task!r} is no graph yet")
    graphs, metadata = run.task.graphs(run), _metadata(run)
    if single and len(graphs) > 1:
        raise ConfigError(
            f"--out {options.out}: a model of task {task!r} is {len(graphs)} graphs, {', '.join(graphs)}: "
            "expected a folder, so a name without .onnx"
        )
    files, most, fixed = [], 0.0, options.fixed()
    require_free(graphs.values(), fixed)
    for name, graph in graphs.items():
        path = folder / f"{name}{SUFFIX}"
        write_onnx(graph, path, metadata | {"graph": name}, options.opset, fixed)
        apart = largest_difference(graph, path, CHECKS, fixed=fixed)
        most = max(most, near(apart, f"--to onnx: {path.name} gives other numbers than the run in ONNX Runtime"))
        given, said = ([_tensor(port, fixed) for port in ports] for ports in (graph.inputs, graph.outputs))
        files.append(ExportedFile(file=path.name, bytes=path.stat().st_size, inputs=given, outputs=said))
    checked = CHECKS * len(graphs)
    return Exported(run=options.run, task=task, to="onnx", files=files, checked=checked, difference=most)


def _metadata(run: Run) -> dict[str, object]:
    """What every file says of the run, and what its task has to say."""
    assert isinstance(run.task, Exports)
    known = {"task": run.config["task"], "cell": run.config["model"]["cell"], "ostinato": version("ostinato")}
    return known | dict(run.task.metadata(run))


def _tensor(port: Port, fixed: Mapping[str, int]) -> ExportedTensor:
    axes = [str(fixed.get(str(axis), axis)) for axis in port.axes]
    return ExportedTensor(name=port.name, axes=axes, kind=port.kind, meaning=port.meaning)
