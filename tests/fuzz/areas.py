"""What is drawn: damaged run folders, files of every reader, command lines, layers. An area makes a case at a time."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.fuzz import damage, layers, samples
from tests.fuzz.case import Case

#: Files of a run folder that are damaged.
RUN_FILES = [
    *("config.json", "config.json", "tokenizer.json", "model.safetensors", "metrics.jsonl", "README.md"),
    *("checkpoint/latest.json", "checkpoint/latest.json", "checkpoint/*.safetensors"),
]
#: Samples of each kind of model, and how often each is taken.
KINDS = list(samples.TRAIN)
COMMANDS = [
    *(
        ["train", task]
        for task in ("lm", "classify", "regress", "tag", "forecast", "translate", "caption", "transcribe")
    ),
    *(["evaluate"], ["predict"], ["generate"], ["inspect"], ["runs"], ["info"]),
]
WORDS = [
    *(
        "0",
        "1",
        "2",
        "-1",
        "3.5",
        "nan",
        "inf",
        "1e400",
        "",
        " ",
        "auto",
        "none",
        "None",
        "lstm",
        "all",
        "best",
        "é",
        "\ud800",
    ),
    *(
        "999999999999999999999",
        "a,b",
        "1,2",
        "../x",
        "-",
        "--",
        "=",
        "x" * 300,
        "run",
        "book.txt",
        "gone",
        "True",
        "[1]",
        "{}",
    ),
]
#: Options that a case may not draw: they would write elsewhere, take all time there is, or wait for other processes.
NEVER = {"--devices", "--plugin", "--out", "--output", "--help", "--help-all", "--epochs", "--length", "--samples"}


def folders(random: random.Random) -> Case:
    """A run folder that was damaged, and a command that reads it."""
    kind = random.choice(KINDS)
    changes = []
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        name = random.choice(RUN_FILES)
        changes.append(damage.draw(random, f"run/{name}", links=random.random() < 0.3))
    data = samples.FILES[kind][0]
    commands = [
        *(
            ["evaluate", "run", data],
            ["predict", "run", data, "--output", "answers"],
            ["evaluate", "run", data, "--json"],
        ),
        *(["inspect", "run", "training", "--out", "seen"], ["inspect", "run", "gates", "--out", "seen"], ["runs", "."]),
        *(["train", *samples.TRAIN[kind], *samples.TINY, "--out", "run", how] for how in ("--resume", "--overwrite")),
        ["train", *samples.TRAIN[kind], *samples.TINY, "--out", "run", "--resume", "--epochs", "2"],
        ["generate", "run", "--length", "5"],
    ]
    return Case("folders", kind, changes, random.choices(commands, k=random.choice([1, 1, 2])))


def readers(random: random.Random) -> Case:
    """A file of some kind that was damaged, and a command that reads it."""
    kind = random.choice(KINDS)
    name = random.choice(samples.FILES[kind])
    changes = [damage.draw(random, name, links=random.random() < 0.05) for _ in range(random.choice([1, 1, 2, 3, 8]))]
    if random.random() < 0.1:
        changes.append(["write", name, "".join(random.choices(damage.TOKENS, k=random.randrange(30)))])
    task, old, *options = samples.TRAIN[kind]
    fits = name if not name.startswith(("pictures", "features")) else old
    if name.startswith("features"):
        options = ["--features", name, "--embed", "4"]
    commands = [
        ["train", task, fits, *options, *samples.TINY, "--out", "new"],
        ["train", task, old, *options, *samples.TINY, "--out", "new", "--test", fits],
        ["train", task, old, *options, *samples.TINY, "--out", "new", "--valid", fits],
        *(["evaluate", "run", fits, *more] for more in ([], ["--json"])),
        *(["predict", "run", fits, *more] for more in ([], ["--json"], ["--output", "answers"])),
        ["predict", "run", name],
        ["inspect", "run", "loss", "--data", fits, "--out", "seen"],
    ]
    return Case("readers", kind, changes, [random.choice(commands)])


def pictures(random: random.Random) -> Case:
    """A picture, or the table that names it."""
    name = random.choice(samples.FILES["caption"])
    changes = [damage.draw(random, name, links=random.random() < 0.1) for _ in range(random.choice([1, 1, 3]))]
    task, data, *options = samples.TRAIN["caption"]
    commands = [
        ["train", task, data, *options, *samples.TINY, "--out", "new"],
        ["predict", "run", name],
        ["predict", "run", "captions.csv"],
        ["evaluate", "run", "captions.csv", "--json"],
    ]
    return Case("pictures", "caption", changes, [random.choice(commands)])


def options(random: random.Random) -> Case:
    """A command line of options and values that may be anything."""
    command = random.choice(COMMANDS)
    kind = next((k for k in KINDS if command[0] == "train" and samples.TRAIN[k][0] == command[1]), random.choice(KINDS))
    known = flags(tuple(command))
    words = list(command)
    if command[0] == "train":
        words += [*samples.TRAIN[kind][1:], *samples.TINY, "--out", "new"]
    elif command[0] not in ("info", "runs"):
        words += ["run", *([samples.FILES[kind][0]] if command[0] in ("evaluate", "predict") else [])]
        words += ["gates", "--out", "seen"] if command[0] == "inspect" else []
    for _ in range(random.choice([1, 1, 2, 3])):
        flag = random.choice(known)
        draw = random.random()
        words += (
            [flag] if draw < 0.2 else [flag, random.choice(WORDS)] if draw < 0.9 else [flag[: random.randrange(1, 9)]]
        )
    if random.random() < 0.15:
        del words[random.randrange(len(words))]
    if random.random() < 0.15:
        words.insert(random.randrange(len(words) + 1), random.choice(WORDS))
    return Case("options", kind, [], [words], stdin=random.choice(["", "a b\n", "\xff\xfe\0", "a\tb\n\nc\n"]))


@cache
def flags(command: tuple[str, ...]) -> list[str]:
    """The options that a command's help names."""
    import contextlib
    import io

    from ostinato.cli.main import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main([*command, "--help"])
    found = sorted(set(re.findall(r"--[a-z][a-z-]+", said.getvalue())) - NEVER)
    return found or ["--json"]


def tensors(random: random.Random) -> Case:
    """A layer over tensors of odd strides, sizes, bits and types, beside torch's or the plain loop in float64."""
    return Case("layers", layer=layers.draw(random))


#: By name; the share of the time that each is given.
AREAS: dict[str, tuple[Callable[[random.Random], Case], Any]] = {
    "folders": (folders, 3),
    "readers": (readers, 3),
    "pictures": (pictures, 1),
    "options": (options, 3),
    "layers": (tensors, 2),
}
