"""A search, killed on its way, ends as one that was not; what cannot be is said."""

import json
import time
from pathlib import Path

import pytest

from tests.support import prose

pytest.importorskip("optuna")
SMALL = ["--level", "char", "--hidden", "8", "--epochs", "2", "--steps", "20", "--batch", "4", "--threads", "1"]


@pytest.fixture
def book(work):
    (work / "book.txt").write_text(prose(40))


@pytest.mark.slow
def test_killed_and_resumed(book, work, cli, spawn):
    search = ["search", "lm", "book.txt", "--out", "s", "--trials", "4", *SMALL]
    command = spawn(*search)
    assert command.wait_until((work / "s" / "trials" / "0001" / "config.json").exists)
    command.kill()
    time.sleep(0.5)
    result = cli(*search, "--resume", "--json")
    assert result.status == 0, result.err
    found = json.loads(result.out)
    trials = found["trials"]
    assert [one["number"] for one in trials] == [0, 1, 2, 3]
    assert {one["state"] for one in trials} <= {"complete", "pruned"}
    assert found["best"]["value"] == min(one["value"] for one in trials if one["state"] == "complete")
    best = Path(work / "s" / "best").resolve()
    assert best.name == f"{found['best']['number']:04d}"
    options = json.loads((best / "config.json").read_text())["options"]
    assert options["hidden"] == 8  # as given
    assert options["lr"] == pytest.approx(found["best"]["options"]["lr"], rel=1e-3)
    assert "--lr" in found["command"]
    assert "book.txt" in found["command"]
    lines = [json.loads(line) for line in (best / "metrics.jsonl").read_text().splitlines()]
    losses = [line["valid_loss"] for line in lines if "valid_loss" in line]
    assert found["best"]["value"] == pytest.approx(min(losses))
    assert (work / "s" / "search.png").stat().st_size > 5_000
    again = cli("search", "lm", "--out", "s", "--resume", "--json")  # four trials, as it was begun: nothing is left
    assert json.loads(again.out)["trials"] == trials
    other = cli("search", "lm", "--out", "s", "--resume", "--metric", "perplexity")
    assert other.status == 2
    assert "is by loss; leave --metric out" in other.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lm", "book.txt", "--hiden", "8"], "--hidden"),
        (["poetry", "book.txt"], "unknown task 'poetry'"),
        (["lm"], "its data"),
        (["lm", "book.txt", "--space", "none.toml"], "--space none.toml: cannot be read"),
    ],
)
def test_what_cannot_be(book, cli, work, words, message):
    result = cli("search", *words, "--out", "s")
    assert result.status == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert not (work / "s").exists()


def test_what_is_there_stays_until_all_is_right(book, cli, work):
    (work / "s").mkdir()
    (work / "s" / "search.json").write_text("{}")
    result = cli("search", "lm", "book.txt", "--out", "s", "--overwrite", "--space", "none.toml")
    assert (result.status, (work / "s" / "search.json").read_text()) == (2, "{}")
    assert "give --resume or --overwrite" in cli("search", "lm", "book.txt", "--out", "s").err
    (work / "s" / "search.json").unlink()
    (work / "s" / "mine.txt").touch()
    assert "it holds no search" in cli("search", "lm", "book.txt", "--out", "s", "--overwrite").err
    assert (work / "s" / "mine.txt").exists()


#: A step takes a second by the clock, however busy the machine is, and a fiftieth of one in truth.
TICKS = """
import itertools, time
from ostinato.training.clock import Clock

readings = itertools.count()

def elapsed(self):
    time.sleep(0.02)
    return float(next(readings))

Clock.elapsed = elapsed
"""


@pytest.mark.slow
def test_a_poor_trial_of_so_many_seconds_is_stopped_early(book, cli, work):
    """Within its time there is no end of an epoch, at which it would be validated without more ado."""
    (work / "book.txt").write_text(prose(4_000))
    (work / "ticks.py").write_text(TICKS)
    (work / "space.toml").write_text("lr = {choices = [0.01, 1e-9]}\nlayers = {choices = [1, 2]}\n")
    words = ["search", "lm", "book.txt", "--out", "s", "--trials", "8", "--trial-time", "300", "--space", "space.toml"]
    words += ["--sampler", "random", "--seed", "2", "--plugin", "ticks.py", *SMALL[:4], *SMALL[6:]]
    result = cli(*words, "--json")
    assert result.status == 0, result.err
    trials = {one["number"]: one for one in json.loads(result.out)["trials"]}
    poor = [number for number in range(5, 8) if trials[number]["options"]["lr"] < 1e-3]
    assert poor
    assert {trials[number]["state"] for number in poor} == {"pruned"}

    def validations(number):
        lines = (work / f"s/trials/{number:04d}/metrics.jsonl").read_text().splitlines()
        return [line["step"] for line in map(json.loads, lines) if "valid_loss" in line]

    whole = validations(json.loads(result.out)["best"]["number"])
    assert 6 <= len(whole) <= 11
    assert max(validations(number)[-1] for number in poor) < 0.8 * whole[-1]
