"""`ostinato export` and `ostinato import`: say what was written, what goes in and comes out, and how far it is from the
run; what was found, layer by layer, and what was not taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.cli.answers import opened
from ostinato.cli.output import Output
from ostinato.config.commands import Import
from ostinato.config.export import Export

if TYPE_CHECKING:
    from ostinato.api.results import Exported


def export_model(options: Export, output: Output) -> None:
    """Carry the command out."""
    from ostinato.api.exporting import export_run

    said = export_run(opened(options), options)
    for file in said.files:
        output.text(f"{file.file}: {file.bytes:,} bytes")
        for way, tensors in (("in", file.inputs), ("out", file.outputs)):
            for one in tensors:
                shape = f"[{', '.join(one.axes)}]"
                output.text(f"  {way:<5}{one.name:<16}{shape:<16}{one.kind:<9}{one.meaning}")
    if said.difference is not None:
        output.text(f"checked on {said.checked} random inputs: {said.difference:.1e} from the run at most")
    if said.unchecked is not None:
        output.text(f"not compared with the run: {said.unchecked}")
    if said.weight_bytes is not None:
        output.text(f"{said.weight_bytes:,} bytes of constants{_compiled(said)}")
    output.result(said)


def _compiled(said: Exported) -> str:
    """What else a compiler tells."""
    code = "" if said.code_bytes is None else f", {said.code_bytes:,} of machine code"
    return code + ("" if said.seconds is None else f"; {said.seconds * 1e6:.3g} microseconds a step here")


def import_model(options: Import, output: Output) -> None:
    """Carry the command out."""
    from ostinato.api import importing

    said = importing.import_model(options)
    output.text(f"{said.source}: {said.format}")
    for part in said.parts:
        output.text(f"  {part.name:<22}  {part.what}")
        for name, sizes in part.shapes.items():
            output.text(f"    {name:<22}{' x '.join(map(str, sizes))}")
    for one in said.left:
        shape = f" {' x '.join(map(str, one.shape))}" if one.shape else ""
        output.text(f"  not taken: {one.name}{shape}, {one.why}")
    if said.run is not None:
        output.text(f"{said.run}: task {said.task}, {said.parameters:,} parameters")
    output.result(said)
