"""What users get wrong: one row a mistake, shared by the tests and by scripts/bad_input_table.py.

Each row is prepared in a folder that holds `book.txt` and a finished run, `run`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import prose

#: How `run` is trained.
RUN = ["train", "lm", "book.txt", "--out", "run", "--hidden", "8", "--batch", "4", "--steps", "10", "--epochs", "1"]
RUN += ["--threads", "1"]


class Case(NamedTuple):
    """A mistake.

    Attributes:
        name: for the table.
        command: what is typed.
        mentions: what the message must say.
        prepare: changes the folder first.
        status: what the command must end with.
    """

    name: str
    command: list[str]
    mentions: list[str]
    prepare: Callable[[Path], object] = lambda folder: None
    status: int = 2


def make_folder(folder: Path) -> None:
    """What every row may use; the run is trained afterwards."""
    (folder / "book.txt").write_text(prose(), encoding="utf-8")


def _write(name: str, content: str | bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def _cut(name: str, left: float) -> Callable[[Path], object]:
    def cut(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: int(len(whole) * left)])

    return cut


def _change(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def rewrite(folder: Path) -> None:
        found = json.loads((folder / name).read_text())
        change(found)
        (folder / name).write_text(json.dumps(found))

    return rewrite


def _make_other(folder: Path) -> None:
    (folder / "hf").mkdir()
    (folder / "hf/config.json").write_text('{"model_type": "gpt2"}')


def _configure(**sizes: object) -> Callable[[Path], object]:
    def configure(folder: Path) -> None:
        config = json.loads((folder / "run/config.json").read_text())
        config["model"] |= sizes
        (folder / "run/config.json").write_text(json.dumps(config))

    return configure


def _train(*words: str) -> list[str]:
    return ["train", "lm", *words, "--out", "new"]


def _tag(name: str, content: str | bytes, mentions: list[str], *options: str) -> Case:
    """A mistake in a file of tagged sentences, beside which there are others that may be named."""

    def prepare(folder: Path) -> None:
        _write("new.txt", content)(folder)
        _write("empty.txt", "")(folder)
        _write("comments.conllu", "# nothing\n")(folder)
        _write("strange.txt", "a XX\n\nd YY\n")(folder)

    return Case(f"tag: {name}", ["train", "tag", "new.txt", "--out", "new", *options], mentions, prepare)


_RESUME = ["train", "lm", "book.txt", "--out", "run", "--resume"]
_TAGGED = "a DT\nb NN\n\nc DT\n"
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"

CASES = [
    Case("missing file", _train("missing.txt"), ["missing.txt: no such file"]),
    Case("empty file", _train("empty.txt"), ["empty.txt: the text is empty"], _write("empty.txt", "")),
    Case("white space only", _train("blank.txt"), ["blank.txt: the text is empty"], _write("blank.txt", " \n\t\n")),
    Case(
        "binary file",
        _train("image.dat"),
        ["image.dat: line 2, byte 4", "binary"],
        _write("image.dat", b"PNG\n" + b"\0\1" * 9),
    ),
    Case("picture", _train("image.png"), ["image.png: line 3, byte 8", "binary"], _write("image.png", _PNG)),
    Case(
        "Latin-1 text",
        _train("cafe.txt"),
        ["cafe.txt: line 2, byte 10", "0xE9", "--encoding cp1252"],
        _write("cafe.txt", "to the\ncaf\xe9\n".encode("latin-1") * 50),
    ),
    Case(
        "cut-off gzip file",
        _train("book.gz"),
        ["book.gz: the gzip data is cut short"],
        _write("book.gz", b"\x1f\x8b\x08\0\0\0"),
    ),
    Case(
        "folder without files",
        _train("folder"),
        ["folder: the folder holds no files"],
        lambda folder: (folder / "folder").mkdir(),
    ),
    Case(
        "text shorter than one batch",
        _train("short.txt"),
        ["short.txt: the text is shorter than one batch"],
        _write("short.txt", "to be or not"),
    ),
    Case(
        "one-character vocabulary",
        _train("aaa.txt"),
        ["aaa.txt: one-character vocabulary", "'a'"],
        _write("aaa.txt", "a" * 5000),
    ),
    Case("missing --valid", _train("book.txt", "--valid", "gone.txt"), ["gone.txt: no such file"]),
    Case("unknown command", ["trian", "lm"], ["unknown command 'trian': did you mean 'train'"]),
    Case("unknown option", _train("book.txt", "--hiden", "9"), ["--hiden", "--hidden"]),
    Case(
        "unknown preset",
        _train("book.txt", "--preset", "huge"),
        ["unknown preset 'huge': there are hello, char, rnnlm"],
    ),
    Case("unknown cell", _train("book.txt", "--cell", "lstn"), ["unknown cell 'lstn': did you mean 'lstm'"]),
    Case("`--hidden 0`", _train("book.txt", "--hidden", "0"), ["--hidden: expected at least 1, got 0"]),
    Case("`--seed` beyond 64 bits", _train("book.txt", "--seed", "9" * 20), ["--seed: expected 0 to 2^63 - 1"]),
    Case("missing --config", _train("book.txt", "--config", "gone.toml"), ["--config gone.toml: cannot be read"]),
    Case(
        "--config that is not TOML",
        _train("book.txt", "--config", "o.toml"),
        ["--config o.toml: expected TOML", "line 1"],
        _write("o.toml", "hidden: 9"),
    ),
    Case(
        "--config with an unknown option",
        _train("book.txt", "--config", "o.toml"),
        ["--config o.toml: unknown option 'hiden': did you mean 'hidden'"],
        _write("o.toml", "hiden = 9"),
    ),
    Case("run folder that exists", RUN, ["--out run: holds a run already", "--resume", "--overwrite"]),
    Case(
        "folder of other files",
        ["train", "lm", "book.txt", "--out", "thesis", "--overwrite"],
        ["--out thesis: holds files that are not a run"],
        lambda folder: ((folder / "thesis").mkdir(), (folder / "thesis/chapter1.tex").touch()),
    ),
    Case(
        "output below a file",
        ["train", "lm", "book.txt", "--out", "book.txt/run"],
        ["--out book.txt/run: cannot be written"],
    ),
    Case(
        "read-only output folder",
        ["train", "lm", "book.txt", "--out", "/proc/run"],
        ["--out /proc/run: cannot be written"],
    ),
    Case("missing run folder", ["evaluate", "gone", "book.txt"], ["gone: no such run folder"]),
    Case(
        "truncated weights file",
        ["evaluate", "run", "book.txt"],
        ["run/model.safetensors: damaged or cut off"],
        _cut("run/model.safetensors", 0.7),
    ),
    Case(
        "run whose config names an unknown cell",
        ["generate", "run"],
        ["run/config.json: unknown cell 'warp': there are "],
        _configure(cell="warp"),
    ),
    Case(
        "run whose config and weights do not fit",
        ["generate", "run"],
        ["run/model.safetensors: does not fit config.json", "got (32, 8)"],
        _configure(hidden_size=9),
    ),
    Case(
        "damaged config.json",
        ["evaluate", "run", "book.txt"],
        ["run/config.json: damaged"],
        _cut("run/config.json", 0.5),
    ),
    Case("damaged config.json, --resume", _RESUME, ["run/config.json: damaged"], _cut("run/config.json", 0.5)),
    Case(
        "damaged tokenizer.json", ["generate", "run"], ["run/tokenizer.json: expected"], _cut("run/tokenizer.json", 0.5)
    ),
    Case("damaged latest.json, --resume", _RESUME, ["latest.json: damaged"], _cut("run/checkpoint/latest.json", 0.5)),
    Case("empty latest.json, --resume", _RESUME, ["latest.json: damaged"], _write("run/checkpoint/latest.json", "{}")),
    Case(
        "truncated checkpoint, --resume",
        [*_RESUME, "--epochs", "2"],
        ["state-", "damaged or cut off"],
        lambda folder: [_cut(str(f.relative_to(folder)), 0.7)(folder) for f in folder.glob("run/checkpoint/state-*")],
    ),
    Case("--resume with other options", [*_RESUME, "--hidden", "9"], ["started with hidden = 8, now it is 9"]),
    Case(
        "--resume with another text",
        ["train", "lm", "other.txt", "--out", "run", "--resume", "--epochs", "2"],
        ["the text to train on is not the one", "book.txt"],
        _write("other.txt", prose(seed=5)),
    ),
    Case(
        "--resume and --overwrite",
        [*_RESUME, "--overwrite"],
        ["--resume goes on with a run and --overwrite deletes it"],
    ),
    Case(
        "--overwrite with a text that is missing",
        ["train", "lm", "gone.txt", "--out", "run", "--overwrite"],
        ["gone.txt: no such"],
    ),
    Case("missing data to evaluate", ["evaluate", "run", "gone.txt"], ["gone.txt: no such file"]),
    Case("no data to evaluate", ["evaluate", "run"], ["DATA: expected at least one file"]),
    Case("prompt with unknown characters", ["generate", "run", "--prompt", "the Ωmega"], ["never seen: 'Ω'"]),
    Case("`--temperature -1`", ["generate", "run", "--temperature", "-1"], ["--temperature: expected at least 0"]),
    Case(
        "--plugin that fails",
        _train("book.txt", "--plugin", "bad.py"),
        ["--plugin bad.py: cannot be imported: NameError"],
        _write("bad.py", "cell"),
    ),
    Case(
        "a checkpoint without its sums",
        [*_RESUME, "--epochs", "2"],
        ["run/checkpoint: damaged, or of another"],
        _change("run/checkpoint/latest.json", lambda found: found["position"].pop("interval")),
    ),
    Case(
        "a checkpoint of another program",
        [*_RESUME, "--epochs", "2"],
        ["run/checkpoint: damaged, or of another"],
        _change("run/checkpoint/latest.json", lambda found: found["position"].update(colour="red")),
    ),
    Case(
        "a task that is a list",
        ["evaluate", "run", "book.txt"],
        ["a run of task ['lm']"],
        _change("run/config.json", lambda found: found.update(task=["lm"])),
    ),
    Case(
        "another program's folder",
        [*_train("book.txt")[:3], "--out", "hf", "--overwrite"],
        ["hf: holds files that are not a run"],
        _make_other,
    ),
    Case("a name that is too long", ["evaluate", "r" * 300, "book.txt"], ["File name too long"]),
    Case("benchmark misspelt", ["bench", "layer"], ["unknown benchmark 'layer': did you mean 'layers'"]),
    Case(
        "preset of a task without", ["train", "tag", "book.txt", "--out", "new", "--preset", "char"], ["has no presets"]
    ),
    Case(
        "wrong kind of value in --config",
        _train("book.txt", "--config", "a.toml"),
        ["--config a.toml: hidden: Expected `int`"],
        _write("a.toml", "epochs = 1\nhidden = '256'\n"),
    ),
    Case(
        "a table in --config",
        _train("book.txt", "--config", "a.toml"),
        ["[training] is a table"],
        _write("a.toml", "[training]\nepochs = 1\n"),
    ),
    Case(
        "pictures for a run without",
        ["evaluate", "run", "book.txt", "--images", "folder"],
        ["--images: a run of task 'lm' has no use for it"],
    ),
    Case("`ostinato runs` where there are none", ["runs", "folder"], ["folder: no such folder"]),
    _tag(
        "a line with too few columns", "a DT\nb\n", ["new.txt: line 2: expected 2 columns as in its first word, got 1"]
    ),
    _tag("one column only", "a\nb\n", ["new.txt: column 1 would be both words and tags"]),
    _tag("unknown column", _TAGGED, ["has no column 'pos'", "a number from 1 to 2"], "--column", "pos"),
    _tag("column beyond the last", _TAGGED, ["new.txt: has no column 3: expected 1 to 2"], "--column", "3"),
    _tag("empty field", "a\tDT\nb\t\n\nc\tDT\n", ["new.txt: line 2: column 2 is empty"]),
    _tag("one tag only", "a O\nb O\n\nc O\n", ["every word has the tag 'O'"]),
    _tag("one sentence only", "a DT\nb NN\n", ["new.txt: expected at least two examples", "--valid"]),
    _tag("empty file", "", ["new.txt: the text is empty"]),
    _tag("Latin-1 text", b"caf\xe9 NN\n", ["new.txt: line 1, byte 3", "--encoding cp1252"]),
    _tag("missing --test", _TAGGED, ["gone.txt: no such file"], "--test", "gone.txt"),
    _tag("empty --test", _TAGGED, ["empty.txt: the text is empty"], "--test", "empty.txt"),
    _tag("--valid without words", _TAGGED, ["comments.conllu: holds no words"], "--valid", "comments.conllu"),
    _tag(
        "no tag of --test is known", _TAGGED, ["strange.txt: line 1: ", "'XX'", "'DT', 'NN'"], "--test", "strange.txt"
    ),
    _tag("no tag of --valid is known", _TAGGED, ["strange.txt: line 1: ", "'XX'"], "--valid", "strange.txt"),
    _tag("--tied", _TAGGED, ["--tied"], "--tied"),
    _tag("unknown cell", _TAGGED, ["unknown cell 'lstn': did you mean 'lstm'"], "--cell", "lstn"),
    _tag("`--word-dropout -1`", _TAGGED, ["--word-dropout: expected at least 0, got -1"], "--word-dropout", "-1"),
    Case(
        "--resume where nothing is saved",
        [*RUN[:3], "--out", "new", *RUN[5:], "--resume"],
        [],
        status=0,
    ),
]
