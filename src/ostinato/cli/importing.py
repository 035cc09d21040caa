"""`ostinato import`: says what was found, layer by layer, and what was not taken."""

from ostinato.cli.output import Output
from ostinato.config.commands import Import


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
