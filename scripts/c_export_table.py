"""What models in C weigh and take, how far they are from their runs: ADR 0048. Trains small runs; writes Markdown.

python scripts/c_export_table.py > benchmarks/results/c-export.md
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import ostinato
from ostinato.api.run import Run
from ostinato.bench.machine import cpu_name
from ostinato.interop.outgoing.c import compiler, tried
from tests.support import prose

HIDDEN, STEPS, INPUTS = 64, 5_000, 20

COLUMNS = ("task", "cell", "layers", "weights", "timed", "bytes of constants", "code, -O2", "code, -O3")
COLUMNS += ("us, -O2", "us, -O3", "off")

#: What is timed of a task, its cells, and the options of its run.
TASKS = {
    "lm": ("a token", ("rnn", "gru", "lstm", "sru"), {"level": "char", "embed": 32, "batch": 8, "steps": 30}),
    "classify": ("a token", ("gru", "lstm"), {"text": "text", "label": "label", "embed": 32}),
    "tag": ("a word", ("lstm",), {"embed": 32, "char_hidden": 16}),
    "forecast": ("a forecast", ("gru", "lstm"), {"target": "y", "window": 48, "horizon": 12, "head": "gaussian"}),
}


def data(task: str, folder: Path) -> Path:
    """A small file for a task."""
    path, lines = folder / f"{task}.{'csv' if task in ('classify', 'forecast') else 'txt'}", prose(400).splitlines()
    if task == "classify":
        lines = ["text,label", *(f"{line},{'long' if len(line) > 26 else 'short'}" for line in lines)]
    elif task == "tag":
        tags = (("B-X" if len(word) > 2 else "O", word) for line in lines[:150] for word in [*line.split(), ""])
        lines = [f"{word}\t{tag}" if word else "" for tag, word in tags]
    elif task == "forecast":
        noise = np.random.default_rng(1).standard_normal(600)
        lines = ["y", *(f"{10 + 3 * np.sin(k / 4) + noise[k] / 4:.4f}" for k in range(600))]
    path.write_text("\n".join(lines) + "\n")
    return path


def rows(run: Run, of: str) -> Iterator[str]:
    """Of a run, with each kind of weights."""
    sample = run.task.sample(run, np.random.default_rng(1), INPUTS)
    for weights in ("float32", "int8"):
        program = run.task.program(run, "model", weights)
        trials = []
        for flag in ("-O2", "-O3"):
            with tempfile.TemporaryDirectory() as folder:
                given = {"compiler": str(compiler()), "flags": (flag,), "strict": ("-std=c99",), "repeats": STEPS}
                trials.append(tried(program, Path(folder), sample.given, **given))
        apart = max(sample.difference(trial.output) for trial in trials)
        numbers = [f"{program.weight_bytes:,}", *(f"{trial.code_bytes:,}" for trial in trials)]
        numbers += [*(f"{trial.seconds * 1e6:.2f}" for trial in trials), f"{apart:.0e}"]
        model = run.config["model"]
        layers = f"{model['num_layers']} x {model['hidden_size']}"
        yield f"| {run.config['task']} | {model['cell']} | {layers} | {weights} | {of} | {' | '.join(numbers)} |"


def main() -> None:
    """Train, measure and print."""
    print(f"# Models in C\n\nOne thread of {cpu_name()}; {compiler()}. Made by `scripts/c_export_table.py`,")
    print(f"{STEPS:,} steps each. Off is the largest difference from the run on {INPUTS} random inputs: absolute of")
    print("numbers up to 1, relative of larger ones. Classifiers and taggers read both ways: time by the token.")
    print(f"\n| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    with tempfile.TemporaryDirectory() as folder:
        for task, (of, cells, options) in TASKS.items():
            source = data(task, Path(folder))
            for cell in cells:
                out = Path(folder, f"{task}-{cell}")
                ostinato.train(task, source, out=out, cell=cell, hidden=HIDDEN, epochs=1, **options)
                for row in rows(ostinato.load(out), of):
                    print(row, flush=True)


if __name__ == "__main__":
    main()
