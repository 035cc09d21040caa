"""Format torch: torch.nn's own classes, in a script that needs PyTorch alone, checked by running it."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import torch

from ostinato.api.exporting.describing import apart_from_run, described_or_refused
from ostinato.api.results import Exported, ExportedFile
from ostinato.api.run import Run
from ostinato.config.export import Export
from ostinato.interop.outgoing.described import Arrays, flat
from ostinato.interop.outgoing.torch_script import script, sizes

SUFFIX = ""

_SCRIPT, _WEIGHTS, _ABOUT = "model.py", "weights.pt", "about.json"


def write(run: Run, options: Export, folder: Path, *, single: bool) -> Exported:
    """Write script, weights and what they mean; load them by the script, and check the model."""
    described, task = described_or_refused(run, "torch"), run.config["task"]
    arguments = sizes(described, run.config["model"])
    name = re.sub(r"[^\w .-]", "_", Path(options.run).resolve().name)  # it goes into a program
    title = f"A {described.kind} that Ostinato trained, from {name}"
    (folder / _SCRIPT).write_text(script(described, arguments, title), encoding="utf-8")
    about = json.dumps({"kind": described.kind, "task": task, **described.about}, ensure_ascii=False, indent=1)
    (folder / _ABOUT).write_bytes(about.encode("utf-8", "surrogatepass") + b"\n")
    learned = {name: tensor.detach().clone() for name, tensor in run.model.state_dict().items()}
    chain = {name: torch.from_numpy(array.copy()) for name, array in described.arrays.items()}
    weights = {name: tensor for name, tensor in learned.items() if not (chain and name.startswith("crf."))}
    torch.save(weights | chain, folder / _WEIGHTS)
    loaded = runpy.run_path(str(folder / _SCRIPT))["load"]()

    def answers(inputs: Arrays) -> list[Any]:
        with torch.no_grad():
            return list(flat(loaded(**{name: torch.from_numpy(array) for name, array in inputs.items()})))

    def texts(width: int, limit: int, **inputs: Any) -> Any:
        given = {name: torch.from_numpy(array) for name, array in inputs.items()}
        return loaded.write(**given, width=width, limit=limit)

    checked, apart = apart_from_run(run, described, answers, "torch", texts)
    names = (_SCRIPT, _WEIGHTS, _ABOUT)
    files = [ExportedFile(file=name, bytes=(folder / name).stat().st_size) for name in names]
    return Exported(run=options.run, task=task, to="torch", files=files, checked=checked, difference=apart)
