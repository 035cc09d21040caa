"""Every task with every built-in cell as ONNX, beside the run in ONNX Runtime: benchmarks/results/onnx-export.md.

A small model of each task is trained for a moment; then the cell is another each time, and all weights are random.

    .venv/bin/python scripts/export_table.py WORK [TASK...]     measures, into WORK; what is there is not measured again
    .venv/bin/python scripts/export_table.py WORK --write       writes the table of all that is there
"""

import copy
import functools
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch.onnx._internal.exporter._registration import ONNXRegistry

import ostinato
from ostinato.api.run import Run
from ostinato.config.cells import CELL_NAMES
from ostinato.interop.outgoing.onnx import write_onnx
from ostinato.interop.outgoing.onnx_runtime import largest_difference

TASKS = ("lm", "classify", "regress", "tag", "forecast", "translate", "caption", "transcribe")
RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "onnx-export.md"
#: Random sizes and lengths that each graph is run with.
TIMES = 20
SMALL: dict[str, Any] = {"hidden": 16, "epochs": 1, "seed": 1}


def text(folder: Path) -> Run:
    """Of characters."""
    (folder / "text.txt").write_text("the cat sat on the mat\n" * 80)
    return ostinato.train("lm", folder / "text.txt", out=folder / "run", level="char", batch=4, steps=10, **SMALL)


def labelled(folder: Path) -> Run:
    """Words, with attention pooling."""
    rows = [f"{'good' if row % 2 else 'bad'},{'fine' if row % 2 else 'poor'} film {row % 7}" for row in range(60)]
    (folder / "data.csv").write_text("\n".join(["label,text", *rows]))
    return ostinato.train("classify", folder / "data.csv", out=folder / "run", label="label", text="text", **SMALL)


def measured(folder: Path) -> Run:
    """Sequences of numbers."""
    draw = random.Random(0)
    rows = [f"{key},{t},{draw.random()},{key % 5}" for key in range(40) for t in range(6)]
    (folder / "data.csv").write_text("\n".join(["id,t,x,y", *rows]))
    columns = {"id": "id", "time": "t", "values": "x", "target": "y"}
    return ostinato.train("regress", folder / "data.csv", out=folder / "run", **columns, **SMALL)


def tagged(folder: Path) -> Run:
    """Words, spelled, with a CRF."""
    sentence = "the\tO\nold\tB-A\ncat\tI-A\nsat\tO\n\n"
    (folder / "data.conll").write_text(sentence * 40)
    return ostinato.train("tag", folder / "data.conll", out=folder / "run", **SMALL)


def series(folder: Path) -> Run:
    """A season, and quantiles."""
    rows = [f"{row},{np.sin(row / 2) + row / 50}" for row in range(120)]
    (folder / "data.csv").write_text("\n".join(["t,x", *rows]))
    options = {"target": "x", "time": "t", "window": 12, "horizon": 4, "head": "quantile"}
    return ostinato.train("forecast", folder / "data.csv", out=folder / "run", **options, **SMALL)


def pairs(folder: Path) -> Run:
    """With attention, of two layers."""
    rows = [f"one two {row % 9}\tuno dos {row % 9}" for row in range(60)]
    (folder / "data.tsv").write_text("\n".join(rows))
    return ostinato.train("translate", folder / "data.tsv", out=folder / "run", level="char", layers=2, **SMALL)


def captioned(folder: Path) -> Run:
    """Of features of five places."""
    names = [f"{row}.png" for row in range(40)]
    (folder / "data.csv").write_text("\n".join(["image,caption", *(f"{name},a cat {name[0]}" for name in names)]))
    features = folder / "features.safetensors"
    save_file({name: torch.randn(5, 6) for name in names}, features)
    return ostinato.train("caption", folder / "data.csv", out=folder / "run", features=str(features), **SMALL)


def framed(folder: Path) -> Run:
    """Frames of three channels, both directions."""
    draw, rows = random.Random(0), ["id,said,a,b,c"]
    for key in range(30):
        said = "".join(draw.choices("xyz", k=3))
        rows += [f"{key},{said},{draw.random()},{draw.random()},{draw.random()}" for _ in range(9)]
    (folder / "data.csv").write_text("\n".join(rows))
    columns = {"id": "id", "label": "said", "values": "a,b,c"}
    return ostinato.train("transcribe", folder / "data.csv", out=folder / "run", **columns, **SMALL)


TRAINED: dict[str, Callable[[Path], Run]] = {
    "lm": text, "classify": labelled, "regress": measured, "tag": tagged, "forecast": series, "translate": pairs,
    "caption": captioned, "transcribe": framed,
}  # fmt: skip


def with_cell(run: Run, cell: str) -> Run:
    """The run with a model of another cell, its weights random, none of them zero."""
    config = copy.deepcopy(run.config)
    config["model"]["cell"] = cell
    torch.manual_seed(1)
    model = run.task.build(config)
    with torch.no_grad():
        for p in model.parameters():
            if not p.any():
                p.normal_(0, 0.1)
    return Run(run.folder, config, model.eval(), run.codec)


def measure(run: Run, folder: Path) -> dict[str, Any]:
    """Each graph of a run: how far it is, which operators it has, and how many free axes; `write_onnx` refuses a file
    with one that is fixed."""
    import onnx

    found: dict[str, Any] = {}
    for name, graph in run.task.graphs(run).items():
        begun, path = time.process_time(), folder / "model.onnx"
        write_onnx(graph, path, run.task.metadata(run))
        spent = time.process_time() - begun
        nodes = [node.op_type for node in onnx.load(path).graph.node]
        ports = [*graph.inputs, *graph.outputs]
        found[name] = {
            "difference": largest_difference(graph, path, TIMES),
            "operators": sorted({one for one in nodes if one in ("RNN", "LSTM", "GRU", "Scan")}),
            "free": sum(isinstance(axis, str) for port in ports for axis in port.axes),
            "bytes": path.stat().st_size,
            "seconds": round(spent, 1),
        }
    return found


def main(work: Path, tasks: list[str]) -> None:
    """Measure what is not there yet."""
    work.mkdir(parents=True, exist_ok=True)
    # torch reads all its translations anew for each export, a third of the time
    ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
    for task in tasks:
        with tempfile.TemporaryDirectory() as folder:
            run = TRAINED[task](Path(folder))
            for cell in CELL_NAMES:
                target = work / f"{task}-{cell}.json"
                if target.exists():
                    continue
                try:
                    target.write_text(json.dumps(measure(with_cell(run, cell), Path(folder))))
                except Exception as error:  # the table says so
                    print(f"{task} {cell}: {error!r}", flush=True)
                else:
                    print(target.read_text(), flush=True)


def table(work: Path) -> str:
    """All that was measured."""
    found = {(task, cell): _read(work / f"{task}-{cell}.json") for task in TASKS for cell in CELL_NAMES}
    differences = [one["difference"] for graphs in found.values() for one in graphs.values()]
    free = sum(one["free"] for graphs in found.values() for one in graphs.values())
    there = sum(map(bool, found.values()))
    lines = [
        "# Models in ONNX Runtime",
        "",
        f"`scripts/export_table.py`: each task with each built-in cell, random weights, float32, {TIMES} random",
        "inputs of random sizes and lengths (0 and 1 among them). Largest difference from the run, over",
        "all outputs and states, |a - b| / max(1, |b|). Of the two graphs of a translator or captioner, the larger.",
        "",
        f"{there} of {len(found)} combinations, {len(differences)} graphs; largest difference {max(differences):.1e}.",
        f"All {free:,} axes of inputs and outputs that are to be free are so: a file with a frozen one is not written.",
        "",
        f"| cell | operator | {' | '.join(TASKS)} |",
        f"|---|---|{'---|' * len(TASKS)}",
    ]
    for cell in CELL_NAMES:
        rows = [found[task, cell] for task in TASKS]
        operators = sorted({one for graphs in rows for graph in graphs.values() for one in graph["operators"]})
        shown = [f"{max(one['difference'] for one in graphs.values()):.1e}" if graphs else "-" for graphs in rows]
        lines.append(f"| {cell} | {', '.join(operators)} | {' | '.join(shown)} |")
    return "\n".join([*lines, ""])


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.exists() else {}


if __name__ == "__main__":
    place, *rest = sys.argv[1:]
    if rest == ["--write"]:
        RESULT.write_text(table(Path(place)))
    else:
        main(Path(place), rest or list(TASKS))
