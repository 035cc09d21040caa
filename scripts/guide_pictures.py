"""Pictures at the head of guides, made by the guides' own commands: `python -m scripts.guide_pictures [GUIDE...]`.

A guide's first blocks of code are run in a folder of its own, as the tests run them; what they leave there, or what is
drawn of the run that they leave, is the picture. Needs Pillow.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import torch
from PIL import Image

import ostinato
from ostinato.data.labelled.examples import Raw
from ostinato.plots.style import sheet
from scripts.gallery_pictures import small

ROOT = Path(__file__).parents[1]
CODE = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Of a guide: how many of its first blocks are run, what is said otherwise in them, and the picture that they leave.
LEFT: dict[str, tuple[int, dict[str, str], str]] = {
    "translate": (3, {"abcdef": "abcdefgh"}, "backwards.png"),
    "inspect": (2, {"--epochs 1": "--epochs 6"}, "look/gates-layer1.png"),
    "transcribe": (2, {}, "transcribed.png"),
    "caption": (2, {}, "captioned.png"),
}


def run_blocks(guide: str, folder: Path) -> None:
    """The first blocks of a guide, in a folder.

    Raises:
        subprocess.CalledProcessError: one has failed; what it said stands above.
    """
    count, changes, _ = LEFT[guide]
    text = (ROOT / "docs" / "guides" / f"{guide}.md").read_text(encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for language, code in CODE.findall(text)[:count]:
        for old, new in changes.items():
            code = code.replace(old, new)
        command = [sys.executable, "-c", code] if language == "python" else ["bash", "-e", "-c", code]
        subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, stdout=sys.stderr, check=True)


def transcribed(folder: Path) -> None:
    """The frames of the longest of the first test sequences, and the probability of each symbol at each of them."""
    run = ostinato.load(folder / "runs" / "digits")
    example = max(list(run.read(folder / "test.csv"))[:10], key=lambda each: len(each.input))
    frames = torch.as_tensor(run.codec.reads.encode(Raw.of([example]))[0])
    with torch.no_grad():
        logits = run.model(frames[:, None], torch.tensor([len(frames)])).logits[:, 0]
    names = ["blank", *run.codec.symbols]
    with sheet([folder / "transcribed.png"], rows=2, size=(7, 4), sharex=True) as ((above,), (below,)):
        for column, name in enumerate(("a", "b", "loudness")):
            above.plot(frames[:, column], label=name)
        above.set(title="Frames in, symbols out", ylabel="frame")
        above.legend(ncols=3, fontsize=8, loc="upper right")
        below.imshow(logits.softmax(1).T, aspect="auto", cmap="cividis", vmin=0, vmax=1)
        below.set_yticks(range(len(names)), names)
        below.grid(False)
        below.set(xlabel=f"frame; what is said: {next(iter(run.answer([example])))['text']}", ylabel="probability of")


def captioned(folder: Path) -> None:
    """Four test pictures, one of each caption, with what the model says of them."""
    run = ostinato.load(folder / "runs" / "colours")
    names = (folder / "test.txt").read_text(encoding="utf-8").split()
    with chdir(folder):  # the run names its pictures as the command did
        said = dict(zip(run.predict("test.txt"), names, strict=True))
    with sheet([folder / "captioned.png"], columns=4, size=(7, 2)) as (row,):
        for axes, (caption, name) in zip(row, sorted(said.items()), strict=False):
            axes.imshow(Image.open(folder / "pictures" / name))
            axes.set(title=caption)
            axes.axis("off")


#: What is drawn of a run, where the blocks leave no picture.
DRAWN: dict[str, Callable[[Path], None]] = {"transcribe": transcribed, "caption": captioned}


def main() -> None:
    """Run, draw, shrink."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("guides", nargs="*", choices=[*LEFT, []], metavar="GUIDE", help="such as translate")
    for guide in parser.parse_args().guides or LEFT:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            run_blocks(guide, folder)
            if guide in DRAWN:
                DRAWN[guide](folder)
            target = ROOT / "docs" / "images" / f"guide-{guide}.png"
            small(folder / LEFT[guide][2], target)
        print(f"{target.name:<24}{target.stat().st_size:>10,} bytes", flush=True)


if __name__ == "__main__":
    main()
