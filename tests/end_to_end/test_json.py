"""What every command prints with --json is what docs/schemas promises."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator

import ostinato
from ostinato.cli import main as program
from ostinato.config.inspect import VIEWS

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def faults(value: Any, name: str) -> list[str]:
    """Where a value breaks a schema, or where the folder does that a training made."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    found = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]
    return found + (faults_of_folder(Path(value["run"])) if name.startswith("train-") else [])


def faults_of_folder(run: Path) -> list[str]:
    """Where a run folder's JSON is not as promised."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    kinds = ["metrics-validation" if "valid_loss" in line else "metrics-training" for line in lines]
    assert len(set(kinds)) == 2
    found = faults(json.loads((run / "checkpoint" / "latest.json").read_text()), "latest")
    return found + [fault for line, kind in zip(lines, kinds, strict=True) for fault in faults(line, kind)]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    torch.set_num_threads(1)


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def run(schema: str, *arguments: str) -> dict[str, Any]:
        monkeypatch.setattr(program, "STARTED", time.monotonic())  # as if the command had its own process
        capfd.readouterr()
        assert program.main([*arguments, "--json"]) == 0
        (line,) = capfd.readouterr().out.splitlines()  # nothing else on standard output
        answer = json.loads(line)
        assert not faults(answer, schema)
        return answer

    return run


def answers(task: str, run: str, data: str) -> list[dict[str, Any]]:
    """What Run.predict gives, and a file of JSON lines the same."""
    found = ostinato.load(run).predict(data)
    assert program.main(["predict", run, data, "--output", "answers.jsonl"]) == 0
    assert [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()] == found
    assert not [fault for answer in found for fault in faults(answer, f"answer-{task}")]
    return found


def test_a_life_of_a_run(ask):
    Path("a.txt").write_text("the cat sat on the mat, the dog sat on the log.\n" * 60)
    Path("b.txt").write_text("the dog sat on the mat.\n" * 9)
    small = ("--hidden", "8", "--batch", "4", "--steps", "16", "--epochs", "1", "--threads", "1")
    trained = ask("train-lm", "train", "lm", "a.txt", "--test", "b.txt", "--out", "runs/a", *small)
    assert trained["test"] == ask("evaluate-lm", "evaluate", "runs/a", "b.txt", "--threads", "1")
    adapting = ("--dynamic", "0.1", "--dynamic-steps", "20", "--cache", "50")
    adapted = ask("evaluate-lm", "evaluate", "runs/a", "b.txt", "--threads", "1", *adapting)
    assert adapted["dynamic"] == {"lr": 0.1, "steps": 20, "decay": 0.0}
    assert adapted["cache"] == {"window": 50, "theta": 0.3, "lambda": 0.1}
    assert adapted["loss"] < trained["test"]["loss"], "a text of the same line again and again"
    words = ask("train-lm", "train", "lm", "a.txt", "--out", "runs/words", "--level", "word", *small)
    assert "bits_per_character" in trained["test"]
    assert "valid_bits_per_character" not in words
    assert len(ask("generate", "generate", "runs/a", "--prompt", "the", "--length", "7")["text"]) == 7
    assert [row["state"] for row in ask("runs", "runs", "runs")["runs"]] == ["finished", "finished"]
    assert [row["freed_bytes"] > 0 for row in ask("trim", "trim", "runs/a", "runs/words")["runs"]] == [True, True]


def test_a_life_of_a_classifier(ask):
    rows = [f"{'good' if n % 2 else 'bad'} film number {n},{'pos' if n % 2 else 'neg'}" for n in range(60)]
    Path("a.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    columns = ("--text", "text", "--label", "label")
    small = ("--hidden", "8", "--epochs", "1", "--threads", "1", "--test", "a.csv")
    trained = ask("train-classify", "train", "classify", "a.csv", *columns, "--out", "runs/a", *small)
    assert trained["test"] == ask("evaluate-classify", "evaluate", "runs/a", "a.csv", "--threads", "1")
    assert ask("predict", "predict", "runs/a", "a.csv", "--output", "out.jsonl")["lines"] == 60
    assert len(answers("classify", "runs/a", "a.csv")) == 60
    assert ask("predict", "predict", "runs/a", "a.csv")["output"] is None
    assert ask("trim", "trim", "runs/a")["runs"][0]["freed_bytes"] > 0
    assert not faults_of_folder(Path("runs/a"))
    ask("train-classify", "train", "classify", "a.csv", *columns, "--out", "runs/b", *small, "--multi-label", ";")
    assert all(set(answer) == {"label", "labels", "probabilities"} for answer in answers("classify", "runs/b", "a.csv"))


def test_answers_by_id_and_numbers(ask):
    rows = [f"{wave},{step * wave / 60},{wave / 10},{'ab'[wave % 2]}" for wave in range(40) for step in range(6)]
    Path("a.csv").write_text("wave,level,pace,kind\n" + "\n".join(rows) + "\n")
    small = ("--id", "wave", "--values", "level", "--hidden", "4", "--epochs", "1", "--threads", "1")
    for task, column in (("classify", ("--label", "kind")), ("regress", ("--target", "pace"))):
        ask(f"train-{task}", "train", task, "a.csv", "--out", task, *small, *column)
        assert [answer["id"] for answer in answers(task, task, "a.csv")] == [str(wave) for wave in range(40)]


def test_runs_of_an_earlier_version():
    golden = SCHEMAS.parents[1] / "tests" / "golden" / "trained"
    for name in ("lm", "tag", "forecast"):
        assert not faults_of_folder(golden / name)
    assert len(answers("forecast", str(golden / "forecast"), str(golden / "sales.csv"))) == 7


def test_a_line_of_one_kind_is_none_of_the_other():
    line = {"step": 1, "epoch": 1, "tokens": 9, "valid_loss": 0.5, "best": True, "seconds": 0.1}
    assert not faults(line, "metrics-validation")
    assert len(faults(line, "metrics-training")) == 4  # no lr, gradient_norm, clipped; and best is no number


@pytest.mark.slow
def test_looking_inside(ask):
    Path("a.txt").write_text('def f(a):\n    return "a" + g(a)  # b\n\n' * 90)
    small = ("--hidden", "6", "--batch", "4", "--steps", "16", "--epochs", "1", "--threads", "1")
    for name, cell in (("a", "lstm"), ("b", "gru")):
        ask("train-lm", "train", "lm", "a.txt", "--out", f"runs/{name}", "--cell", cell, *small)
    few = ("--steps", "12", "--tokens", "20", "--read", "300", "--threads", "1", "--out", "look")
    found = {view: ask(f"inspect-{view}", "inspect", "runs/a", view, *few) for view in VIEWS if view != "training"}
    both = ask("inspect-training", "inspect", "runs/a", "training", "--beside", "runs/b", "--out", "look")
    assert [run["run"] for run in both["runs"]] == ["runs/a", "runs/b"]
    layers = [(row["layer"], row["cell"], [gate["gate"] for gate in row["gates"]]) for row in found["gates"]["layers"]]
    assert layers == [("layer 1", "lstm", ["i", "f", "g", "o"])]
    assert found["loss"]["tokens"] == 300
    assert "indentation" in [row["property"] for row in found["units"]["properties"]]
    for answer in (*found.values(), both):
        assert answer["files"]
        for file in answer["files"]:
            content = Path("look", file).read_bytes()
            assert content.startswith(
                {".png": b"\x89PNG", ".svg": b"<?xml", ".json": b"{", ".html": b"<!DOC"}[
                    file[-4:] if file[-4] == "." else file[-5:]
                ]
            )


def test_info(ask):
    assert "lstm" in [cell["name"] for cell in ask("info", "info")["cells"]]


@pytest.mark.slow
def test_bench_layers(ask):
    small = ("--rows", "N2T3H4", "--threads", "1", "--seconds", "0.01")
    found = ask("bench-layers", "bench", "layers", "--only", "lstm", "jordan", *small, "--peers", "torch", "loop")
    assert [table["group"] for table in found["tables"]] == ["lstm", "jordan"]
    assert all(row["ms"]["ostinato"]["median"] > 0 for table in found["tables"] for row in table["rows"])


@pytest.mark.slow
def test_bench_lm(ask):
    small = ("--presets", "hello", "rnnlm", "--work", "generation", "vocabulary", "--vocabulary", "30")
    found = ask("bench-lm", "bench", "lm", *small, "--threads", "1", "--seconds", "0.01")
    assert [row["preset"] for row in found["generation"]] == ["hello", "hello", "rnnlm", "rnnlm"]
    assert [row["tokens"] for row in found["vocabulary"]] == [700, 700, 4096, 4096]
    assert [row["peer"] for row in found["vocabulary"]] == ["torch", "torch-chunked"] * 2


def test_demo(ask):
    demo = ask("demo", "demo", "--time-limit", "4")
    assert demo["sample"].startswith("The ")
    assert demo["picture"] is None or Path(demo["picture"]).is_file()


def test_runs_of_a_folder_with_damage(ask):
    Path("runs/broken").mkdir(parents=True)
    Path("runs/broken/config.json").write_text("{")
    assert ask("runs", "runs", "runs")["runs"][0]["state"] == "damaged"
