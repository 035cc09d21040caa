"""The textbook's first recurrent language model: one LSTM layer of 100 units over 10,000 words of newspaper.

A language model says how probable each next word is. Its perplexity is how many equally probable words it wavers
between: who knows nothing wavers between all 10,000, who knows how often each word occurs between some 640. The model
reads the text in 20 streams, 35 words at a time; its state goes on from piece to piece, the gradient does not.

    python examples/rnnlm.py                   # minutes; runs/rnnlm is then a run folder, rnnlm.png its curve
    python examples/rnnlm.py --text book.txt --epochs 2

The Penn Treebank (Mikolov's preparation: ptb.train.txt, ptb.valid.txt, ptb.test.txt) is looked for in --data. Without
it, and without --text, the help texts that every Python carries have to do. Parts that are made go to runs/texts.
"""

import argparse
import os
from pathlib import Path
from pydoc_data.topics import topics

import ostinato
from ostinato.plots import read_metrics, require_matplotlib, training_curve

DATA = os.environ.get("OSTINATO_DATA", Path(__file__).parent / ".." / ".." / "shared" / "data")
PARTS = ("train", "valid", "test")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What says which text."""
    parser.add_argument("--data", type=Path, default=Path(DATA) / "ptb", help="folder of the Penn Treebank")
    parser.add_argument("--text", type=Path, help="another text, a tenth of it to validate and a tenth to test on")
    parser.add_argument("--lines", type=int, help="only so many lines of each part")


def texts(options: argparse.Namespace) -> dict[str, Path]:
    """Files to train, validate and test on."""
    if options.text is not None and not options.text.is_file():
        raise SystemExit(f"--text {options.text}: no such file")
    files = {part: options.data / f"ptb.{part}.txt" for part in PARTS}
    if options.text is None and all(file.is_file() for file in files.values()):
        whole = {part: file.read_text(encoding="utf-8").splitlines(keepends=True) for part, file in files.items()}
        if options.lines is None:
            return files
    else:
        if options.text is None:
            print(f"{files['train']} is not there: Python's own help texts instead")
        text = "\n".join(topics.values()) if options.text is None else options.text.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        tenth = max(1, len(lines) // 10)
        whole = {"train": lines[: -2 * tenth], "valid": lines[-2 * tenth : -tenth], "test": lines[-tenth:]}
    folder = Path("runs/texts")  # not here, where a train.txt may be the text itself
    folder.mkdir(parents=True, exist_ok=True)
    files = {part: folder / f"{part}.txt" for part in PARTS}
    for part, file in files.items():
        file.write_text("".join(whole[part][: options.lines]), encoding="utf-8")
    return files


def main() -> None:
    """Train, test, let it write, draw."""
    require_matplotlib()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--epochs", type=int, default=4, help="passes over the text")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    files = texts(options)
    run = ostinato.train(
        "lm",
        files["train"],
        valid=str(files["valid"]),
        test=str(files["test"]),
        out="runs/rnnlm",
        preset="rnnlm",
        epochs=options.epochs,
        seed=options.seed,
        overwrite=True,
    )
    print(f"perplexity of {run.test['tokens']:,} words of the test text: {run.test['perplexity']:.1f}\n")
    print("".join(run.generate(length=60, temperature=0.8, seed=options.seed)))
    title = "One LSTM layer of 100 units, word by word"
    training_curve(read_metrics(run.folder.metrics), "rnnlm.png", figure="perplexity", title=title)


if __name__ == "__main__":
    main()
