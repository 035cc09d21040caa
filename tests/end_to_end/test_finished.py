"""What becomes of a finished run: listed, tested, resumed with other data, trimmed, lengthened."""

import json
import os
import shutil

import pytest

import ostinato
from ostinato.checkpoint import RunFolder
from tests.support import TINY, contents, prose, times

TRAIN = ("train", "lm", "book.txt", "--out", "run")


@pytest.fixture(autouse=True)
def run(work, cli):
    (work / "book.txt").write_text(prose(120))
    (work / "other.txt").write_text(prose(100, seed=7))
    (work / "test.txt").write_text(prose(30, seed=3))
    assert cli(*TRAIN, *TINY, "--test", "test.txt").status == 0
    return work / "run"


def test_its_figures_on_the_test_data_come_with_it(run):
    figures = ostinato.load("run").test
    assert figures == json.loads((run / "test.json").read_text())["figures"]
    assert figures["loss"] == pytest.approx(ostinato.load("run").evaluate("test.txt")["loss"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["book.txt"], ""),
        ([], ""),
        (["other.txt"], "run is finished and stays as it is; the text to train on is not the one that the run in run"),
        (["gone.txt"], "run is finished and stays as it is; the data named now cannot be read: gone.txt: no such file"),
    ],
)
def test_resumed_with_other_data_it_says_so_and_stays(run, cli, words, said):
    before = contents(run), times(run)
    result = cli("train", "lm", *words, "--out", "run", "--resume")
    assert result.status == 0
    assert said in result.err
    assert result.err.count("\n") == bool(said)  # one cause, one line
    assert (contents(run), times(run)) == before


@pytest.mark.parametrize("words", [["book.txt"], []])
def test_resumed_with_a_test_file_of_other_content_it_is_tested_on_that(run, work, cli, words):
    then = json.loads((run / "test.json").read_text())["figures"]
    before = contents(run)
    (work / "test.txt").write_text(prose(40, seed=9))
    result = cli("train", "lm", *words, "--out", "run", "--resume", "--json")
    found = json.loads(result.out)["test"]
    assert found != then
    assert found == json.loads(cli("evaluate", "run", "test.txt", "--threads", "1", "--json").out)
    assert ("the text to test on is not the one" in result.err) == bool(words)
    assert contents(run) == before


def listed(cli):
    found = cli("runs", ".", "--json")
    assert found.status == 0
    return {row["run"]: row for row in json.loads(found.out)["runs"]}


def test_the_table_says_who_is_at_work_and_the_test_figures(run, work, cli):
    shutil.copytree(run, work / "stopped")
    latest = work / "stopped" / "checkpoint" / "latest.json"
    stopped = json.loads(latest.read_text())
    stopped["position"]["finished"] = False
    latest.write_text(json.dumps(stopped))
    rows = listed(cli)
    assert (rows["run"]["state"], rows["stopped"]["state"]) == ("finished", "interrupted")
    assert rows["run"]["test"] == ostinato.load("run").test
    loss = f"loss {ostinato.load('run').test['loss']:.4f}"
    assert loss in cli("runs", ".").out
    with RunFolder(work / "stopped").locked():
        assert listed(cli)["stopped"]["state"] == "training"


ODD = '{"tensors": null, "position": {"epoch": "1", "step": [], "tokens": 0, "best": {}, "finished": 3}}'
DEEP = '{"a":' * 99_999
DAMAGED = {
    "config.json": ['{"format": 1, "task": ["lm"], "model": {}}', '{"format": 1, "task": "lm", "model": 3}', DEEP],
    "checkpoint/latest.json": [ODD, ODD.replace('"1"', "NaN"), "[", DEEP],
    "test.json": ["{}", "[", '{"figures": 3}', DEEP],
}


def test_one_damaged_folder_leaves_the_others_in_the_table(run, work, cli):
    names = set()
    for file, texts in DAMAGED.items():
        for number, text in enumerate(texts):
            names.add(f"{file.split('/')[0]}-{number}")
            folder = shutil.copytree(run, work / f"{file.split('/')[0]}-{number}")
            (folder / file).write_text(text)
    (work / "nowhere").symlink_to("gone")
    os.mkfifo(work / "pipe")
    rows = listed(cli)
    assert {name: row["state"] for name, row in rows.items()} == {"run": "finished"} | dict.fromkeys(names, "damaged")
    assert cli("runs", ".").status == 0


def test_names_in_the_table_do_nothing_to_a_terminal(run, work, cli):
    config = json.loads((run / "config.json").read_text())
    config["model"]["cell"] = "lstm\x1b]0;owned\x07\nfinished"
    (run / "config.json").write_text(json.dumps(config))
    run.rename(work / "run\x1b[2J")
    table = cli("runs", ".").out
    assert r"run\x1b[2J" in table
    assert r"lstm\x1b]0;owned\x07\nfinished" in table
    assert not {"\x1b", "\x07"} & set(table)
    assert len(table.splitlines()) == 2


def test_trimmed_it_answers_as_before_and_resumes_as_finished(run, cli):
    before = contents(run)
    said = cli("evaluate", "run", "test.txt", "--json").out
    size = sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
    first, second = (json.loads(cli("trim", "run", "--json").out)["runs"][0] for _ in range(2))
    assert first["freed_bytes"] > 0.5 * size
    assert first["bytes"] == sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
    assert abs(size - first["freed_bytes"] - first["bytes"]) < 100
    assert second == first | {"freed_bytes": 0}
    after = contents(run)
    gone = [name for name in before if name not in after]
    assert len(gone) == 1
    assert gone[0].startswith("checkpoint/state-")
    assert {name for name in after if after[name] != before[name]} == {"checkpoint/latest.json"}
    assert cli("evaluate", "run", "test.txt", "--json").out == said
    assert listed(cli)["run"]["state"] == "finished"
    assert cli(*TRAIN, "--resume").status == 0
    assert contents(run) == after
    longer = cli(*TRAIN, "--resume", "--epochs", "2")
    assert longer.status == 2
    assert "checkpoint: was trimmed, the optimiser's state that training would go on from is gone" in longer.err
    assert contents(run) == after


def test_only_what_is_finished_is_trimmed(run, cli):
    latest = run / "checkpoint" / "latest.json"
    finished = latest.read_text()
    latest.write_text(finished.replace('"finished": true', '"finished": false'))
    before = contents(run)
    refused = cli("trim", "run")
    assert refused.status == 2
    assert "run: its training is not finished: --resume goes on from its checkpoint" in refused.err
    latest.write_text(finished)
    with RunFolder(run).locked():
        assert cli("trim", "run").status == 2
    (run.parent / "elsewhere").mkdir()
    state = next(run.glob("checkpoint/state-*"))
    shutil.move(state, run.parent / "elsewhere" / state.name)
    state.symlink_to(run.parent / "elsewhere" / state.name)
    assert "is a link to" in cli("trim", "run").err
    assert (run.parent / "elsewhere" / state.name).exists()
    assert contents(run).keys() == before.keys()


def test_a_large_rest_is_said(run, cli, monkeypatch):
    monkeypatch.setattr("ostinato.cli.commands._WORTH_A_WORD", 1000)
    assert "without them: ostinato trim run\n" in cli(*TRAIN, "--resume").out
    assert cli("trim", "run").status == 0
    assert "ostinato trim" not in cli(*TRAIN, "--resume").out


def test_an_out_that_is_not_utf8(work, cli):
    """Trained, evaluated, used and listed; the name is shown, and is JSON."""
    name = "run\udcff"
    trained = cli("train", "lm", "book.txt", "--out", name, *TINY, "--json")
    assert trained.status == 0, trained.err
    assert json.loads(trained.out)["run"] == name
    assert cli("evaluate", name, "test.txt").status == 0
    assert cli("train", "lm", "book.txt", "--out", name, "--resume", "--epochs", "2").status == 0
    assert r"run\udcff" in cli("runs", ".").out
    assert (work / name / "README.md").exists()


@pytest.mark.parametrize("name", ["checkpoint", "metrics.jsonl", "confusion.png"])
@pytest.mark.parametrize("words", [("--overwrite",), ("--resume", "--epochs", "2")])
def test_links_in_its_folder_lead_nowhere(run, work, cli, name, words):
    theirs = work / "theirs"
    if name == "checkpoint":
        (run / name).rename(theirs)
        (theirs / "thesis.tex").write_text("mine")
    else:
        theirs.write_text("mine")
        (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(theirs)
    before = contents(work)
    refused = cli(*TRAIN, *words)
    assert refused.status == 2
    assert f"run: {name} is a link to {theirs}; a run's files must be its own" in refused.err
    assert contents(work) == before


def test_plugins_are_not_taken_from_a_file_of_settings(work, cli):
    (work / "evil.py").write_text("from pathlib import Path; Path('owned').touch()")
    (work / "settings.toml").write_text('plugin = ["evil.py"]\nhidden = 8\n')
    for words in (("--config", "settings.toml"), ("--config", "settings.toml", "--overwrite")):
        refused = cli(*TRAIN, *words)
        assert refused.status == 2
        assert "settings.toml: plugin names code, and a file of settings runs none; give --plugin" in refused.err
    with pytest.raises(ostinato.OstinatoError, match="plugin names code"):
        ostinato.train("lm", "book.txt", out="new", config="settings.toml")
    assert not (work / "owned").exists()
