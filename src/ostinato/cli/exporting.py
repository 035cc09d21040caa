"""`ostinato export`: says what was written, what goes in and comes out, and how far it is from the run."""

from __future__ import annotations

from ostinato.cli.answers import opened
from ostinato.cli.output import Output
from ostinato.config.export import Export


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
    output.result(said)
