"""Runs as C: the command's own comparison, programs that use the files, and what int8 costs."""

import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import ostinato
from ostinato.cli.main import main
from ostinato.interop.outgoing.c import compiler, tried
from tests.end_to_end.test_transcribe import write as write_frames
from tests.support import prose

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler here")

#: Writes on greedily from the header alone.
WRITER = """
#include <stdio.h>
#include "small.h"
int main(void)
{
    struct small_state state;
    float scores[SMALL_TOKENS];
    int token = SMALL_BEGIN;
    small_reset(&state);
    for (int k = 0; k < 60; ++k) {
        int best = -1;
        small_step(&state, token, scores);
        for (int n = 0; n < SMALL_TOKENS; ++n) {
            if (small_code_point_of(n) != 0 && (best < 0 || scores[n] > scores[best])) best = n;
        }
        putchar((int)small_code_point_of(best));
        token = small_token_of(small_code_point_of(best));
    }
    return 0;
}
"""


@pytest.fixture
def written(exported):
    """What the command says of C."""
    return partial(exported, "--to", "c", "--out", "out")


@needs_compiler
def test_a_program_writes_what_the_run_writes(run, written):
    said = written(run, "--name", "small")
    assert [file["file"] for file in said["files"]] == ["out/small.h", "out/small.c"]
    assert said["checked"] == 20
    assert said["difference"] < 1e-5
    model = ostinato.load(run).model
    assert said["weight_bytes"] > 4 * sum(tensor.numel() for tensor in model.parameters())
    Path("main.c").write_text(WRITER)
    flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Iout"]
    subprocess.run([str(compiler()), *flags, "main.c", "out/small.c", "-o", "main", "-lm"], check=True)
    written = subprocess.run(["./main"], check=True, capture_output=True, text=True).stdout
    assert written == "".join(ostinato.load(run).generate("", length=60, greedy=True))


def test_without_a_compiler_it_says_so(run, capsys, monkeypatch, written):
    monkeypatch.setenv("PATH", "")
    said = written(run, "--weights", "int8")
    assert "no C compiler" in said["unchecked"]
    assert said["difference"] is None
    assert "int8_t" in Path("out/model.c").read_text()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("--to", "c", "--out", "x", "--name", "2x"), "--name"),
        (("--to", "c", "--out", "x", "--opset", "20"), "no use for it"),
        (("--to", "onnx", "--out", "x", "--weights", "int8"), "no use for it"),
        (("--to", "c", "--out", "there"), "--overwrite"),
        (("--to", "c", "--out", "small.c"), "expected a folder"),
    ],
)
def test_refusals_write_nothing(run, capsys, given, why):
    Path("there").mkdir()
    Path("there/mine.txt").write_text("mine")
    capsys.readouterr()
    assert main(["export", run, *given]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert why in err
    assert len(err.splitlines()) == 1
    assert [str(path) for path in Path().rglob("*")] == ["there", "there/mine.txt"]


@pytest.mark.slow
def test_a_decoder_is_refused_with_a_way_out(capsys):
    pairs = "".join(f"{word}\t{word[::-1]}\n" for word in prose().split()[:80])
    Path("pairs.tsv").write_text(pairs)
    ostinato.train("translate", "pairs.tsv", out="run", epochs=1, hidden=8, embed=8)
    capsys.readouterr()
    assert main(["export", "run", "--to", "c", "--out", "x"]) == 2
    assert "--to onnx" in capsys.readouterr().err
    assert not Path("x").exists()


@needs_compiler
@pytest.mark.slow
def test_int8_costs_less_than_a_hundredth_of_the_loss(tmp_path):
    """Of a model that has learned something, on text that it has not seen."""
    Path("text.txt").write_text(prose(600))
    ostinato.train("lm", "text.txt", out="run", level="char", hidden=64, epochs=3, batch=8, steps=30)
    opened = ostinato.load("run")
    ids = torch.tensor([opened.tokenizer.begin_id, *opened.tokenizer.encode(prose(40, seed=9))])
    with torch.no_grad():
        loss = float(F.cross_entropy(opened.model(ids[:-1, None]).logits()[:, 0], ids[1:]))
    program = opened.task.program(opened, "model", "int8")
    given = np.array([len(ids) - 1, *ids[:-1]], "<i4").tobytes()
    scores = np.frombuffer(tried(program, tmp_path, given, compiler=str(compiler())).output, np.float32)
    found = float(F.cross_entropy(torch.from_numpy(scores.reshape(len(ids) - 1, -1).copy()), ids[1:]))
    assert loss < 1.5  # it has learned
    assert abs(found - loss) < 0.01 * loss


def table(rows: int, *, log: bool = False, step: str = "D") -> str:
    """Two series with two targets, numbers and a text beside them, some missing."""
    random = np.random.default_rng(1)
    lines = ["id,time,y,z,temp,event,price"]
    for name in ("one", "two"):
        start = np.datetime64("2021-01", step) if step == "M" else np.datetime64("2021-01-01T00", step)
        for row in range(rows):
            level = 10 * (1 + 0.3 * np.sin(row / 3) + 0.1 * random.standard_normal())
            y = np.exp(level / 4) if log else level
            y = "" if random.random() < 0.04 and not log else y
            temp = "" if random.random() < 0.1 else random.standard_normal()
            event, price = random.choice(["a", "b", "c"]), random.standard_normal()
            lines.append(f"{name},{start + row},{y},{random.standard_normal()},{temp},{event},{price}")
    return "\n".join(lines) + "\n"


SERIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a number alone, without a calendar": ({}, {"target": "y,z", "id": "id", "head": "point"}),
    "hours, all that may stand beside": (
        {"step": "h"},
        {"target": "y,z", "id": "id", "time": "time", "season": 12, "past": "temp,event", "future": "price"},
    ),
    "months, the logarithm": (
        {"step": "M", "log": True},
        {"target": "y", "id": "id", "time": "time", "season": 12, "head": "gaussian"},
    ),
    "days, two seasons": (
        {"step": "D"},
        {"target": "y", "id": "id", "time": "time", "season": "7,28", "future": "event,temp", "head": "student"},
    ),
    "step by step": (
        {"step": "D"},
        {"target": "y", "id": "id", "head": "point", "decoding": "autoregressive", "cell": "sru", "layers": 2},
    ),
}


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", SERIES)
def test_rows_as_they_were_measured_go_in_and_come_out(name, written):
    data, options = SERIES[name]
    Path("table.csv").write_text(table(150, **data))
    ostinato.train("forecast", "table.csv", out="run", window=24, horizon=15, hidden=8, epochs=1, **options)
    assert written("run")["difference"] < 1e-5


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("both", [True, False])
def test_frames(both, written):
    write_frames("frames.csv", 30, 0)
    columns = {"label": "said", "id": "id", "values": "a,b,c"}
    ostinato.train("transcribe", "frames.csv", out="run", hidden=8, epochs=1, bidirectional=both, **columns)
    said = written("run")
    assert (said["checked"], said["difference"] < 1e-5) == (20, True)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_sentences(head, written):
    lines = []
    for sentence in prose(60).splitlines():
        lines += [f"{word}\t{'B-X' if len(word) > 2 else 'O'}" for word in sentence.split()] + [""]
    Path("tags.tsv").write_text("\n".join(lines) + "\n")
    ostinato.train("tag", "tags.tsv", out="run", hidden=8, embed=8, char_hidden=4, epochs=1, head=head)
    assert written("run")["difference"] < 1e-5


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "column", "more"),
    [
        ("classify", "label", {}),
        ("classify", "label", {"bidirectional": False, "pooling": "mean"}),
        ("regress", "number", {"cell": "gru"}),
    ],
)
def test_texts_and_numbers(task, column, more, written):
    random = np.random.default_rng(1)
    rows = ["text,label,number"]
    rows += [f"{line},{'long' if len(line) > 26 else 'short'},{len(line)}" for line in prose(120).splitlines()]
    Path("texts.csv").write_text("\n".join(rows) + "\n")
    columns = {"label": column} if task == "classify" else {"target": column}
    ostinato.train(task, "texts.csv", out="texts", text="text", hidden=8, epochs=1, **columns, **more)
    assert written("texts")["difference"] < 1e-5
    rows = ["id,a,b,label,number"]
    for number in range(80):
        values = random.normal(1e4, 3, (9, 2))
        rows += [f"{number},{a},{b},{'up' if number % 2 else 'down'},{values.mean()}" for a, b in values]
    Path("numbers.csv").write_text("\n".join(rows) + "\n")
    ostinato.train(task, "numbers.csv", out="numbers", id="id", values="a,b", hidden=8, epochs=1, **columns, **more)
    assert written("numbers", "--overwrite")["difference"] < 1e-5
