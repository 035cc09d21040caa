"""ostinato inspect on every task, on a user's own cell, and what it says where it cannot."""

import json
import os
import re
from pathlib import Path

import pytest

from ostinato.cli.inspect import _LINES
from ostinato.core.registry import unregister
from tests.end_to_end.test_json import faults

TINY = ("--hidden", "6", "--epochs", "1", "--threads", "1")


def series(rows=60):
    return "day,y\n" + "".join(f"2020-{1 + t // 28:02d}-{1 + t % 28:02d},{t % 7 + t / 10}\n" for t in range(rows))


DATA = {
    "lm": ("a.txt", "the cat (and 'the dog') sat on the mat.\n" * 60, ["--batch", "4", "--steps", "16"]),
    "classify": (
        "a.csv",
        "text,label\n" + "".join(f"{'good' if n % 2 else 'bad'} film number {n},{n % 2}\n" for n in range(40)),
        ["--text", "text", "--label", "label"],
    ),
    "tag": ("a.conll", "The DET\ncat NOUN\nsat VERB\n\nA DET\ndog NOUN\nran VERB\n\n" * 20, []),
    "forecast": ("y.csv", series(), ["--target", "y", "--time", "day", "--window", "8", "--horizon", "3"]),
}
FEW = ("--out", "look", "--threads", "1", "--tokens", "12", "--read", "60", "--steps", "10")


@pytest.fixture
def trained(cli, request):
    name, content, options = DATA[request.param]
    Path(name).write_text(content)
    ran = cli("train", request.param, name, "--out", "run", *TINY, *options)
    assert ran.status == 0, ran.err
    return request.param, name


def answer(cli, view, *arguments):
    ran = cli("inspect", "run", view, *FEW, *arguments, "--json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out.splitlines()[-1])
    assert not faults(found, f"inspect-{view}")
    return found, ran.err


@pytest.mark.parametrize("trained", ["classify", "tag", "forecast"], indirect=True)
@pytest.mark.slow
def test_other_tasks(cli, trained, monkeypatch):
    task, name = trained
    drawn = task == "classify"
    if not drawn:  # as where matplotlib is not installed, which is faster too
        for module in ("api.inspecting.output", "plots.style"):  # a first import would keep what is set here
            monkeypatch.setattr(f"ostinato.{module}.available", lambda: False)
    gates, said = answer(cli, "gates", "--data", name)
    assert ("saturation.png" in gates["files"], "they need matplotlib" in said) == (drawn, not drawn)
    steps = {"classify": 4, "tag": 3, "forecast": 8}[task]
    assert gates["steps"] == steps
    layers = ["encoder, layer 1"] if task == "forecast" else ["layer 1", "layer 1, reverse"]
    assert [row["layer"] for row in gates["layers"]] == layers
    numbers = json.loads(Path("look/gates.json").read_text())
    assert len(numbers["pieces"]) == steps
    flow, _ = answer(cli, "gradients", "--data", name)
    assert (flow["steps"], len(flow["courses"])) == (steps, 4 * len(layers))
    assert all(field["last"] > 0 for course in flow["courses"] for field in course["fields"])
    # attention hands the loss to every step: what is left of it tells nothing of the recurrence
    assert all((field["factor"] is None) == (task == "classify") for c in flow["courses"] for field in c["fields"])
    assert answer(cli, "training")[0]["runs"][0]["task"] == task
    for view in ("units", "loss"):
        refused = cli("inspect", "run", view, "--out", "nothing", *FEW[2:], "--data", name)
        assert refused.status == 2
        assert f"{view} needs a language model, a run of task 'lm', got '{task}'" in refused.err
    missing = cli("inspect", "run", "gates", "--out", "nothing", *FEW[2:])
    assert missing.status == 2
    assert "--data: expected a file" in missing.err
    assert not Path("nothing").exists()  # what has nothing to show leaves no folder


@pytest.mark.parametrize("task", ["tag", "classify"])
def test_gradients_reach_back_from_where_a_direction_ends(cli, monkeypatch, task):
    """Over twelve words an untrained network of six units has lost most of it, whichever end it began at."""
    monkeypatch.setattr("ostinato.api.inspecting.output.available", lambda: False)
    if task == "tag":
        Path("data").write_text("\n".join(("The DET\ncat NOUN\n" * 6, "\n")) * 20)
        options = ()
    else:
        Path("data.csv").write_text("text,label\n" + "a film b film c film a film b film c film,1\nbad,0\n" * 20)
        options = ("--text", "text", "--label", "label", "--pooling", "last")
    name = "data" if task == "tag" else "data.csv"
    assert cli("train", task, name, "--out", "run", *TINY, *options).status == 0
    flow, _ = answer(cli, "gradients", "--data", name, "--steps", "12")
    assert flow["steps"] == 12
    ends = {course["layer"]: course["fields"][0] for course in flow["courses"] if course["cell"] == "rnn"}
    assert len(ends) == 2
    for field in ends.values():
        assert field["first"] < 0.1 * field["last"]
        assert field["factor"] < 0.83


def test_a_cell_of_ones_own(cli):
    Path("a.txt").write_text(DATA["lm"][1])
    Path("mine.py").write_text(
        "import ostinato\nfrom tests.conformance.own_cell import FeedbackMGU\n"
        "ostinato.register(FeedbackMGU)\n"
    )  # fmt: skip
    try:
        ran = cli("train", "lm", "a.txt", "--plugin", "mine.py", "--cell", "feedback_mgu", "--out", "run", *TINY,
                  *DATA["lm"][2])  # fmt: skip
        assert ran.status == 0, ran.err
        (layer,) = answer(cli, "gates", "--plugin", "mine.py")[0]["layers"]
        assert [(gate["gate"], gate["function"]) for gate in layer["gates"]] == [("f", "sigmoid"), ("n", "tanh")]
        assert [state["field"] for state in layer["states"]] == ["y", "h"]
        flow, _ = answer(cli, "gradients", "--plugin", "mine.py")
        assert [field["field"] for field in flow["courses"][0]["fields"]] == ["y", "h"]
        assert flow["courses"][0]["spectral_radius"] == {}  # two outputs are fed back to six units
    finally:
        unregister("feedback_mgu")


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_the_loss_is_that_of_evaluate(cli, level):
    Path("a.txt").write_text(DATA["lm"][1].replace("mat", "mät"))
    more = ("--level", level, *(("--vocab-size", "270") if level == "bpe" else ()))
    assert cli("train", "lm", "a.txt", "--out", "run", *TINY, *DATA["lm"][2], *more).status == 0
    evaluated = json.loads(cli("evaluate", "run", "a.txt", "--json").out.splitlines()[-1])
    found, _ = answer(cli, "loss", "--data", "a.txt", "--read", "100000")
    assert found["tokens"] == evaluated["tokens"]
    assert found["loss"] == pytest.approx(evaluated["loss"], rel=1e-5)
    assert sum(kind["share"] for kind in found["kinds"]) == pytest.approx(1)
    along = json.loads(Path("look/loss.json").read_text())["along"]
    assert all(len(row["candidate_ids"]) == len(row["candidates"]) == 5 for row in along)
    assert all(row["probabilities"] == sorted(row["probabilities"], reverse=True) for row in along)
    text = "".join(row["token"] for row in along)
    whole = Path("a.txt").read_text()
    assert text.split() == whole.split()[: len(text.split())] if level == "word" else whole.startswith(text)


@pytest.mark.slow
def test_every_picture_says_what_it_shows(cli, monkeypatch):
    """Titles, units at the axes, and lines that can be told apart, in colour and in grey."""
    figure = pytest.importorskip("matplotlib.figure").Figure
    drawn, save = [], figure.savefig

    def saved(self, file, **how):
        being_written = Path(os.readlink(f"/dev/fd/{file.fileno()}")).name  # .NAME.png.RANDOM.tmp
        drawn.append((being_written.split(".")[1], self))
        save(self, file, **how)

    monkeypatch.setattr(figure, "savefig", saved)
    name, content, options = DATA["lm"]
    Path(name).write_text(content.replace("mat", 'mat, it\'s "new"\n  # mine\n'))
    for run, cell in (("run", "lstm"), ("other", "gru")):
        words = ("--out", run, "--cell", cell, "--layers", "2", *TINY, *options)
        assert cli("train", "lm", name, *words).status == 0
    series_options = DATA["forecast"][2]
    Path("y.csv").write_text(DATA["forecast"][1])
    assert cli("train", "forecast", "y.csv", "--out", "series", *TINY, *series_options).status == 0
    drawn.clear()
    for view in ("gates", "units", "loss"):
        answer(cli, view)
    answer(cli, "training", "--beside", "other", "series")
    flow, _ = answer(cli, "gradients", "--beside", "other")
    assert len(flow["courses"]) == 10
    forecast = cli("inspect", "series", "gradients", *FEW, "--data", "y.csv", "--json")
    assert {course["cell"] for course in json.loads(forecast.out)["courses"]} == {"lstm", "rnn", "gru"}
    assert cli("inspect", "series", "training", "--out", "look").status == 0
    assert {axes.get_xlabel() for axes in drawn[-1][1].axes if axes.axison} == {"targets (thousands)"}
    expected = {"gates-layer1", "gates-layer2", "saturation", "units", "candidates", "loss", "training", "gradients",
                "products", "clipping"}  # fmt: skip
    assert {stem for stem, _ in drawn} == expected
    for stem, one in drawn:
        for axes in one.axes:
            if not axes.axison or axes.get_label() == "<colorbar>":
                continue
            assert one.get_suptitle() or axes.get_title(), stem
            for axis in "xy":
                beside = getattr(axes, f"get_shared_{axis}_axes")().get_siblings(axes)
                assert any(getattr(each, f"get_{axis}label")() for each in beside), (stem, axis)
            lines = [line for line in axes.lines if not line.get_label().startswith("_")]
            looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}
            grey = {(line._unscaled_dash_pattern, line.get_marker()) for line in lines}
            assert len(looks) == len(lines), stem
            assert len(grey) == len(lines), stem


@pytest.mark.parametrize("trained", ["lm"], indirect=True)
def test_while_it_trains(cli, trained):
    """The course of a training can be looked at before there are weights, its last line still being written."""
    Path("run/model.safetensors").unlink()
    with Path("run/metrics.jsonl").open("a") as file:
        file.write('{"step": 9')
    assert answer(cli, "training")[0]["runs"][0]["task"] == "lm"
    Path("run/metrics.jsonl").write_text('{"step": 9\n{"step": 10, "loss": 1.0}\n')
    damaged = cli("inspect", "run", "training", "--out", "look")
    assert (damaged.status, "line 1: damaged" in damaged.err) == (2, True)


@pytest.mark.parametrize("trained", ["lm"], indirect=True)
def test_a_text_that_has_changed(cli, trained):
    Path("a.txt").write_text("another text\n" * 200)
    changed = cli("inspect", "run", "loss", *FEW)
    assert changed.status == 2
    assert "a.txt: no longer what the run was validated on; give a text with --data FILE" in changed.err


@pytest.mark.parametrize("trained", ["lm"], indirect=True)
def test_what_can_be_mended(cli, trained):
    def refused(*arguments):
        ran = cli("inspect", *arguments)
        assert ran.status == 2, ran.out
        assert "Traceback" not in ran.err
        return ran.err

    assert "no such run folder" in refused("none", "training", "--out", "look")
    gates = ", ".join(f"1.{gate}.0 to 5" for gate in "ifgo")
    known = f"this run has the states 1.h.0 to 5, 1.c.0 to 5 and the gates {gates}"
    for view in ("units", "gates"):
        assert known in refused("run", view, *FEW, "--unit", "1.h.6")
        assert known in refused("run", view, *FEW, "--unit", "2.f.0")
    assert "expected layer (from 1)" in refused("run", "units", *FEW, "--unit", "h.6")
    assert "--tokens: expected at least 1" in refused("run", "gates", "--out", "look", "--tokens", "0")
    assert "no such file" in refused("run", "gates", *FEW, "--data", "none.txt")
    Path("file").write_text("")
    assert "choose another place" in refused("run", "training", "--out", "file")
    assert "choose another place" in refused("run", "training", "--out", "file/below")
    Path("a.txt").unlink()
    assert "give one with --data FILE" in refused("run", "loss", *FEW)
    Path("run/metrics.jsonl").write_text("")
    assert "nothing is logged yet" in refused("run", "training", "--out", "look")


@pytest.mark.parametrize("trained", ["lm"], indirect=True)
def test_the_text_coloured_by_a_unit(cli, trained):
    found, _ = answer(cli, "units", "--unit", "1.c.3")
    assert [file for file in found["files"] if file.endswith(".html")] == ["unit-1.c.3.html"]
    assert "the cat (and &#x27;the dog&#x27;) sat" in without_tags(Path("look/unit-1.c.3.html").read_text())


@pytest.mark.parametrize("trained", ["lm"], indirect=True)
def test_one_units_gate(cli, trained, monkeypatch):
    """What it follows, the text coloured by it, and in the view of gates a picture of it alone."""
    drawn = []
    monkeypatch.setattr("ostinato.api.inspecting.output.Folder.picture", lambda self, name, draw: drawn.append(name))
    found, _ = answer(cli, "units", "--unit", "1.f.3")
    assert {row["asked"]["unit"] for row in found["properties"]} == {"1.f.3"}
    assert {row["units"][0]["unit"].split(".")[1] for row in found["properties"]} <= {"h", "c"}
    assert "Gate f of this unit" in without_tags(Path("look/unit-1.f.3.html").read_text())
    values = json.loads(Path("look/units.json").read_text())["shown"]["values"]
    assert all(0 < value < 1 for value in values)
    ranked, _ = answer(cli, "units", "--of", "gates")
    assert {unit["unit"].split(".")[1] for row in ranked["properties"] for unit in row["units"]} <= set("ifgo")
    assert all("asked" not in row for row in ranked["properties"])
    drawn.clear()
    answer(cli, "gates", "--unit", "1.f.3")
    assert "gates-layer1-unit3" in drawn
    gates = json.loads(Path("look/gates.json").read_text())
    (shown,) = gates["shown"].values()
    assert shown["units"] == [3]
    # the same text in both views; the first step of the heat maps is in front of it
    alone = [step for (step,) in shown["values"]["gate f"]]
    assert alone[1:] == pytest.approx(values[: len(alone) - 1], abs=1e-5)


def test_what_is_followed_is_said_in_words():
    def row(name, measure, score, direction, **more):
        unit = {"unit": "1.c.3", "score": score, "direction": direction}
        return {"property": name, "measure": measure, "units": [unit], **more}

    rows = [row("a", "AUC", 0.229, "down"), row("b", "correlation", 0.5, "up"), row("c", "correlation", 0.037, "none")]
    _, first, second, weak = _LINES["units"]({"properties": rows, "left_out": []})
    assert (first.split()[0], first.endswith("low where it holds")) == ("a", True)
    assert second.endswith("rises with it")
    assert weak == "followed by no unit (the best is near chance): c"
    nothing = _LINES["units"]({"properties": rows[2:], "left_out": []})
    assert nothing[1] == "no unit follows any of these properties"
    asked = {"unit": "1.f.3", "score": 0.9, "direction": "up"}
    *_, one = _LINES["units"]({"properties": [row("a", "AUC", 0.2, "down", asked=asked)], "left_out": []})
    assert (one.split()[:2], one.endswith("high where it holds")) == (["a", "1.f.3"], True)


def without_tags(page):
    return re.sub("<[^>]*>", "", page)
