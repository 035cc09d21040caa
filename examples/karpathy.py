"""A character model reads source code, writes some, and shows cells with a meaning.

After Karpathy, The unreasonable effectiveness of recurrent neural networks (2015), who let LSTMs read the Linux kernel
and War and Peace: units were found that follow quotes, the depth of expressions, the place in the line. The code here
is what every Python carries, its own library.

    python examples/karpathy.py                 # ten minutes
    python examples/karpathy.py --seconds 60

Afterwards runs/karpathy holds the model, and look/ the pictures and pages: units.png, and for each property a page such
as unit-inside-quotes.html with code coloured by one unit.
"""

import argparse
import random
import sysconfig
from pathlib import Path

import ostinato

TEMPERATURES = (0.3, 0.6, 1.0)


def write_code(target: Path, characters: int) -> None:
    """The library's files in a mixed order, as far as they are ASCII: a small alphabet suits a small model."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    random.Random(1).shuffle(files)
    parts, length = [], 0
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        if text.isascii() and length < characters:
            parts.append(text)
            length += len(text)
    target.write_text("\n".join(parts)[:characters], encoding="utf-8")


def main() -> None:
    """Train, write, look."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--characters", type=int, default=4_000_000)
    parser.add_argument("--hidden", type=int, default=320)
    parser.add_argument("--read", type=int, default=20_000, help="characters to look for units in")
    options = parser.parse_args()
    text = Path("runs/code/library.txt")
    text.parent.mkdir(parents=True, exist_ok=True)
    write_code(text, options.characters)
    run = ostinato.train(
        "lm", text, out="runs/karpathy", level="char", layers=2, hidden=options.hidden, dropout=0.1,
        time_limit=options.seconds, overwrite=True,
    )  # fmt: skip

    for temperature in TEMPERATURES:
        print(f"\n---- temperature {temperature}\n")
        print("def " + "".join(run.generate("def ", 400, temperature=temperature, seed=1)))

    found = run.inspect("units", "look", read=options.read)
    print(f"\n{'cells that follow':<20}{'unit':<12}{'score':>8}")
    for row in found["properties"]:
        best = row["units"][0]
        print(f"{row['property']:<20}{best['unit']:<12}{best['score']:>8.2f} {row['measure']}")
    run.inspect("gates", "look")
    print("\nlook/ has the pictures, and pages with the code coloured by these units")


if __name__ == "__main__":
    main()
