"""The gallery's pictures of the examples: `python scripts/gallery_pictures.py [NAME...]`, of all where none is named.

Each is what the example draws when it is run as COMMANDS says, in a folder of its own, and made small. Those that
train for long are cut short here. Data is looked for where the examples look (OSTINATO_DATA). Needs Pillow.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "docs" / "images" / "gallery"
#: Pixels from left to right: a card of the gallery is narrower, on a screen of two pixels a point about as wide.
WIDTH = 640
#: The options of an example, and which of its pictures is taken.
COMMANDS: dict[str, tuple[str, str]] = {
    "better_rnnlm": ("--hidden 200 --epochs 6 --lines 8000", "better_rnnlm.png"),
    "gradient_flow": ("", "flow.png"),
    "hello": ("", "hello.png"),
    "imdb": ("--seconds 150", "runs/imdb/confusion.png"),
    "karpathy": ("--seconds 600", "look/saturation.png"),
    "long_memory": ("--lengths 50 100 --updates 1500", "long_memory.png"),
    "numpy_rnnlm": ("--updates 20", "numpy_rnnlm.png"),
    "order_matters": ("", "order_matters.png"),
    "rnn_or_lstm": ("--updates 600", "rnn_or_lstm.png"),
    "rnnlm": ("--epochs 2", "rnnlm.png"),
    "shapes": ("", "shapes/shapes.png"),
    "sine": ("", "sine.png"),
    "t_maze": ("", "t_maze.png"),
    "topologies": ("", "topologies.png"),
}


def run(name: str, folder: Path) -> Path:
    """Run an example in a folder; the picture that it has drawn there.

    Raises:
        subprocess.CalledProcessError: it has failed; what it said stands above.
    """
    options, drawn = COMMANDS[name]
    data = os.environ.get("OSTINATO_DATA", str(ROOT.parent / "shared" / "data"))
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), *options.split()]
    subprocess.run(command, cwd=folder, env=os.environ | {"OSTINATO_DATA": data}, stdout=sys.stderr, check=True)
    return folder / drawn


def small(picture: Path, target: Path) -> None:
    """On white, as wide as a card, in few colours."""
    image = Image.open(picture).convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if flat.width > WIDTH:
        flat = flat.resize((WIDTH, round(flat.height * WIDTH / flat.width)), Image.Resampling.LANCZOS)
    flat.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)


def main() -> None:
    """Run, shrink, say how long it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*COMMANDS, []], metavar="NAME", help="such as hello")
    for name in parser.parse_args().names or COMMANDS:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            small(run(name, Path(folder)), GALLERY / f"{name}.png")
        size = (GALLERY / f"{name}.png").stat().st_size
        print(f"{name:<16}{time.perf_counter() - begun:>8.0f} s{size:>10,} bytes", flush=True)


if __name__ == "__main__":
    main()
