"""What every command prints with --json is what docs/schemas promises."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator

from ostinato.cli import main as program
from ostinato.config.inspect import VIEWS

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def faults(value: Any, schema: dict[str, Any]) -> list[str]:
    """Where a value breaks a JSON Schema."""
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]


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
        assert not faults(answer, json.loads((SCHEMAS / f"{schema}.json").read_text()))
        return answer

    return run


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
    assert ask("predict", "predict", "runs/a", "a.csv")["output"] is None


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


def test_bench_layers(ask):
    small = ("--rows", "N2T3H4", "--threads", "1", "--seconds", "0.01")
    found = ask("bench-layers", "bench", "layers", "--only", "lstm", "jordan", *small, "--peers", "torch", "loop")
    assert [table["group"] for table in found["tables"]] == ["lstm", "jordan"]
    assert all(row["ms"]["ostinato"]["median"] > 0 for table in found["tables"] for row in table["rows"])


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
