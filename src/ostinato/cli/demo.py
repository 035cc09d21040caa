"""`ostinato demo`: the whole of it in two and a half minutes, on text that every Python carries."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ostinato.cli.output import Output
from ostinato.config.commands import Demo
from ostinato.config.merge import build
from ostinato.core.collector import uncollected
from ostinato.core.errors import RunFolderError
from ostinato.core.results import Count, Measure, Result
from ostinato.tasks import TRAIN_OPTIONS

if TYPE_CHECKING:
    from ostinato.api.run import Run

#: Name of the file that is trained on, by which a demo's run is known again.
TEXT = "python-help.txt"


class Demonstrated(Result):
    """Of `demo`."""

    run: Annotated[str, "the run folder"]
    steps: Annotated[Count, "updates of the weights"]
    valid_bits_per_character: Annotated[Measure, "lowest validation loss, in bits a character"]
    sample: Annotated[str, "text that the model wrote, prompt included"]
    picture: Annotated[str | None, "file of the training curve; null without matplotlib"]


def demo(options: Demo, output: Output, started: float) -> None:
    """Train on Python's own help texts, draw the curve, and write a sample."""
    from pydoc_data.topics import topics

    with uncollected():
        from ostinato.api.training import train_task
    from ostinato.evaluation import bits_per_character
    from ostinato.tasks.trained import best_loss

    _require_own(options.out)
    text = "\n\n".join(topics[name].strip() for name in sorted(topics))
    output.text(
        f"Training a character LSTM on Python's own help texts, {len(text):,} characters, "
        f"for {options.time_limit:.0f} seconds.\n"
        "Bits per character should fall from about 5 to 2 or so: the more steps there is time for, the lower.\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / TEXT
        file.write_text(text, encoding="utf-8")
        flat = {"text": [str(file)], "out": options.out, "overwrite": True, "hidden": 256, "steps": 64, "log_every": 20}
        train_options = build(
            TRAIN_OPTIONS["lm"], flat | {"time_limit": options.time_limit, "valid_every": 200}, "demo"
        )
        trained = train_task(train_options, started)
    picture = _draw(trained, output)
    position = trained.folder.resume_point.position()
    sample = "".join(trained.generate("The ", length=400, temperature=0.7, seed=1))
    output.text(f"\nThe {sample}\n")
    best = bits_per_character(best_loss(trained))
    output.text(f"{best:.2f} bits a character after {position.tokens / 1e6:.1f} million characters.")
    output.text(f"\nGo on with:\n  {_command()} generate {options.out} --prompt 'Python ' --temperature 0.7")
    output.result(
        Demonstrated(
            run=options.out,
            steps=position.step,
            valid_bits_per_character=best,
            sample=f"The {sample}",
            picture=picture,
        )
    )


def _command() -> str:
    """What the shell finds this program by: its path where it is in no folder that the shell looks into."""
    name = Path(sys.argv[0]).name
    found = shutil.which(name)
    there = found is not None and Path(found).resolve() == Path(sys.argv[0]).resolve()
    return name if there else sys.argv[0]


def _require_own(out: str) -> None:
    """That what is overwritten is another demo's run.

    Raises:
        RunFolderError: it is somebody's own.
    """
    from ostinato.checkpoint import RunFolder

    folder = RunFolder(out)
    if folder.is_run():
        files = folder.read_config().get("data", {}).get("train", {}).get("files", [])
        if [Path(file).name for file in files] != [TEXT]:
            raise RunFolderError(f"--out {out}: holds a run of your own; choose another name")


def _draw(trained: Run, output: Output) -> str | None:
    """The training curve in the run folder, where matplotlib is installed."""
    from ostinato.plots.style import available
    from ostinato.plots.training import read_metrics, training_curve

    if not available():
        return None
    file = trained.folder.path / "training.png"
    title = "Python's help texts, character by character"
    training_curve(read_metrics(trained.folder.metrics), file, figure="bits_per_character", title=title)
    output.text(f"The training curve is in {file}.")
    return str(file)
