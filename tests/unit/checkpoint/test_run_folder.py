"""The files of a run: when a folder may be written, and what of it can be read."""

import json
import os
import shutil
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.files import write_bytes
from ostinato.core.errors import RunFolderError
from ostinato.tasks.lm.model import LanguageModel
from tests.support import contents


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "book", ("confusion.png",))
    folder.claim(resume=False, overwrite=False)
    begin(folder, {"task": "lm", "model": {}})
    return folder


def begin(folder, config, files=MappingProxyType({}), **values):
    """A run with its first checkpoint."""
    place = folder.start(config, files)
    write_bytes(place.metrics, b"", like=place.config)
    place.resume_point.save({"w": torch.ones(3)}, {"position": {"epoch": 0}, **values})
    place.settle()
    return place.settled


def lay_out(run):
    """All that an old run may have, and files of others; returns what stands there."""
    run.save_weights(nn.Linear(2, 2))
    run.write_card("old")
    run.save_test("t", {})
    (run.path / "confusion.png").touch()
    for name in ("notes.txt", "checkpoint/mine.txt"):
        (run.path / name).write_text("mine")
    return contents(run.path)


def test_a_fresh_place_is_made_and_an_empty_one_taken(tmp_path):
    for _ in range(2):
        RunFolder(tmp_path / "a" / "b").claim(resume=False, overwrite=False)
        assert not list((tmp_path / "a" / "b").iterdir())


def test_a_run_needs_resume_or_overwrite(run):
    before = contents(run.path)
    with pytest.raises(
        RunFolderError, match="book: holds a run already; go on with it by --resume, replace it by --over"
    ):
        run.claim(resume=False, overwrite=False)
    run.claim(resume=True, overwrite=False)
    run.claim(resume=False, overwrite=True)
    assert contents(run.path) == before


@pytest.mark.parametrize("options", [(False, False), (True, False), (False, True)])
def test_other_files_are_never_written_over(tmp_path, options):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunFolderError, match=r"holds files that are not a run \(no config.json\)"):
        RunFolder(tmp_path).claim(resume=options[0], overwrite=options[1])
    with pytest.raises(RunFolderError, match="expected a folder, found a file"):
        RunFolder(tmp_path / "thesis.tex").claim(resume=options[0], overwrite=options[1])
    with pytest.raises(RunFolderError, match="cannot be written: Not a directory; choose another place"):
        RunFolder(tmp_path / "thesis.tex" / "run").claim(resume=options[0], overwrite=options[1])


@pytest.mark.parametrize("name", [".new", ".whole"])
def test_names_within_a_run_are_those_of_none(tmp_path, name):
    """What stands beside such a folder would be taken for the run that is to be replaced."""
    with pytest.raises(RunFolderError, match="a name that runs use in their folders; choose another name"):
        RunFolder(tmp_path / name).claim(resume=False, overwrite=False)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", [".config.json.4711.tmp", ".config.json.0123456789abcdef.tmp", ".write-testk3_u7"])
def test_what_a_kill_left_before_there_was_a_configuration_is_no_obstacle(tmp_path, name):
    (tmp_path / name).write_text("{")
    RunFolder(tmp_path).claim(resume=True, overwrite=False)


def test_a_new_run_stands_beside_the_old_one_until_it_has_a_checkpoint(run):
    before = lay_out(run)
    place = run.start({"task": "lm", "new": True}, {"tokenizer.json": b"{}"})
    assert place.replaces
    assert {name: digest for name, digest in contents(run.path).items() if not name.startswith(".new/")} == before
    place.metrics.touch()
    place.resume_point.save({"w": torch.zeros(3)}, {"position": {"epoch": 7}})
    place.settle()
    left = {"config.json", "metrics.jsonl", "notes.txt", "tokenizer.json", "checkpoint/mine.txt"}
    left |= {f"checkpoint/{name}" for name in ("latest.json", run.resume_point.values()["tensors"])}
    assert contents(run.path).keys() == left
    assert run.read_config()["new"]
    assert run.resume_point.load()[1] == {"position": {"epoch": 7}}
    begin(run, {"task": "lm"})
    assert not (run.path / "tokenizer.json").exists()
    assert (run.path / "checkpoint" / "mine.txt").read_text() == "mine"


def test_a_new_run_that_came_to_nothing_leaves_the_old_one(run):
    before = lay_out(run)
    place = run.start({"task": "lm", "new": True}, {"tokenizer.json": b"{}"})
    place.resume_point.save({"w": torch.zeros(3)}, {"position": {"epoch": 0}})
    place.save_weights(nn.Linear(2, 2))
    run.tidy()
    assert contents(run.path) == before
    assert not (run.path / ".new").exists()


def test_a_kill_at_any_moment_of_a_replacement_leaves_the_old_run_or_the_new_one(tmp_path, killed_at):
    for number in range(1, 100):
        run = RunFolder(tmp_path / str(number))
        run.claim(resume=False, overwrite=False)
        begin(run, {"task": "lm"}, {"tokenizer.json": b"old", "series.json": b"old"})
        before = lay_out(run)
        files = {"tokenizer.json": b"new"}
        killed = killed_at(lambda run=run, files=files: begin(run, {"task": "lm", "new": True}, files), number)
        run.claim(resume=True, overwrite=False)
        run.tidy()
        if run.read_config().get("new"):
            assert run.resume_point.load()[1] == {"position": {"epoch": 0}}
            assert (run.path / "tokenizer.json").read_bytes() == b"new"
            assert not {"series.json", "model.safetensors", "test.json"} & contents(run.path).keys()
        else:
            assert killed
            assert contents(run.path) == before
        assert not [item for item in run.path.iterdir() if item.name.startswith(".")]
        if not killed:
            break
    assert 20 < number < 99


def test_only_files_that_a_run_begins_with_go_with_it(run):
    config = json.loads(run.config.read_text())
    names = ["thesis.tex", "../outside.json", "config.json", "a/b.json", 3]
    run.config.write_text(json.dumps(config | {"files": names}))
    for path in (run.path / "thesis.tex", run.path.parent / "outside.json"):
        path.write_text("mine")
    begin(run, {"task": "lm"})
    assert (run.path / "thesis.tex").read_text() == "mine"
    assert (run.path.parent / "outside.json").read_text() == "mine"


LINKED = ["checkpoint", "metrics.jsonl", "model.safetensors", "README.md", "test.json", "confusion.png", "config.json"]
LINKED += ["tokenizer.json", ".new", ".whole", "checkpoint/latest.json", "checkpoint/state-00000000.safetensors"]


@pytest.mark.parametrize("name", LINKED)
def test_links_are_refused_and_what_they_lead_to_stays(run, tmp_path, name):
    begin(run, {"task": "lm"}, {"tokenizer.json": b"{}"})
    elsewhere = tmp_path / "elsewhere"
    path = run.path / name
    if path.is_dir() or name.startswith("."):
        elsewhere.mkdir()
        (elsewhere / "latest.json").write_text("theirs")
        shutil.rmtree(path, ignore_errors=True)
    else:
        elsewhere.write_bytes(path.read_bytes() if path.exists() else b"theirs")
        path.unlink(missing_ok=True)
    path.symlink_to(elsewhere)
    before = contents(tmp_path)
    for options in ({"resume": True, "overwrite": False}, {"resume": False, "overwrite": True}):
        with pytest.raises(RunFolderError, match=f"{name} is a link to {elsewhere}; a run's files must be its own"):
            run.claim(**options)
    assert contents(tmp_path) == before


def test_a_pipe_among_the_files_is_refused(run):
    run.metrics.unlink()
    os.mkfifo(run.metrics)
    with pytest.raises(RunFolderError, match=r"metrics.jsonl is of another kind; a run's files must be its own"):
        run.claim(resume=True, overwrite=False)


def test_a_link_to_the_whole_folder_and_links_of_others_in_it_are_taken(run, tmp_path):
    (run.path / "notes").symlink_to(tmp_path)
    (tmp_path / "latest").symlink_to(run.path)
    RunFolder(tmp_path / "latest").claim(resume=True, overwrite=False)


def test_permissions_stay_as_they_are(run):
    begin(run, {"task": "lm"}, {"tokenizer.json": b"{}"})
    lay_out(run)
    for path in run.path.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
    run.begin_again()
    run.resume_point.save({}, {"position": {}})
    run.write_card("new")
    run.save_test("t", {})
    run.save_weights(nn.Linear(2, 2))
    assert {path.stat().st_mode & 0o777 for path in run.path.rglob("*") if path.is_file()} == {0o600}
    begin(run, {"task": "lm"}, {"tokenizer.json": b"{}", "series.json": b""})
    assert {path.stat().st_mode & 0o777 for path in run.path.rglob("*") if path.is_file()} == {0o600}


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path):
    (tmp_path / "there").mkdir()
    for name, left in (("there/a/b", "there"), ("there", "there")):
        folder = RunFolder(tmp_path / name)
        folder.claim(resume=False, overwrite=False)
        with pytest.raises(ZeroDivisionError), folder.locked():
            raise ZeroDivisionError
        assert [item.name for item in tmp_path.rglob("*")] == [left]


def test_who_trains_in_a_folder_is_seen(run):
    assert not run.in_use()
    with run.locked():
        assert run.in_use()
        with pytest.raises(RunFolderError, match="another process is training here"), RunFolder(run.path).locked():
            pass
    assert not run.in_use()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "expected format 1, got None"),
        ('{"format": 2}', "expected format 1, got 2: made by another version"),
        ('{"format": 1, "task": "tag"}', "expected a run of task 'lm', found one of 'tag'"),
        ("{", "config.json: damaged, expected JSON"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said(run, content, message):
    run.config.write_text(content)
    with pytest.raises(RunFolderError, match=message):
        run.read_config("lm")


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(RunFolderError, match="gone: no such run folder"):
        RunFolder(tmp_path / "gone").read_config()
    with pytest.raises(RunFolderError, match=r"not a run folder, it has no config.json"):
        RunFolder(tmp_path).read_config()


def make(tied=False, hidden=4, vocabulary=6):
    return LanguageModel(vocabulary, 4, hidden, tied=tied)


@pytest.mark.parametrize("tied", [False, True])
def test_weights_there_and_back(run, tied):
    model, other = make(tied), make(tied)
    run.save_weights(model)
    run.load_weights(other)
    for (name, one), two in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two), name
    assert (other.decoder.weight is other.embedding.weight) == tied
    stored = sum(p.numel() for p in model.parameters()) * 4  # parameters() too names a tied weight once
    assert stored < run.weights.stat().st_size < stored + 1000


def test_equal_models_are_equal_bytes(run):
    torch.manual_seed(3)
    run.save_weights(make())
    first = run.weights.read_bytes()
    torch.manual_seed(3)
    run.save_weights(make())
    assert run.weights.read_bytes() == first


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"hidden": 5},
            r"does not fit config.json: expected recurrent.weight_ih_l0 of shape \(20, 4\), got \(16, 4\)",
        ),
        ({"tied": True}, "does not fit config.json: decoder.weight in one of them only"),
        ({"vocabulary": 7}, r"expected embedding.weight of shape \(7, 4\), got \(6, 4\)"),
    ],
)
def test_weights_of_another_model_are_refused(run, other, message):
    run.save_weights(make())
    with pytest.raises(RunFolderError, match=message):
        run.load_weights(make(**other))


def test_truncated_weights_are_refused(run):
    run.save_weights(make())
    run.weights.write_bytes(run.weights.read_bytes()[:-10])
    with pytest.raises(RunFolderError, match=r"model.safetensors: damaged or cut off"):
        run.load_weights(make())


def test_another_programs_configuration_makes_no_run(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    before = contents(tmp_path)
    for resume, overwrite in ((False, False), (True, False), (False, True)):
        with pytest.raises(
            RunFolderError, match=r"holds files that are not a run \(a config.json of another program\)"
        ):
            RunFolder(tmp_path).claim(resume=resume, overwrite=overwrite)
    assert contents(tmp_path) == before


def test_a_damaged_configuration_may_be_replaced(tmp_path):
    (tmp_path / "config.json").write_text('{"format": 1, "ta')
    RunFolder(tmp_path).claim(resume=False, overwrite=True)


def test_a_folder_has_one_training_at_a_time(run):
    pytest.importorskip("fcntl")
    with run.locked(), pytest.raises(RunFolderError, match="book: another process is training here"), run.locked():
        pass
    with run.locked():
        pass


def test_a_checkpoint_that_cannot_be_removed_keeps_a_run_from_being_replaced_by_half(run, monkeypatch):
    def refuse(path, **options):
        raise PermissionError(13, "Permission denied")

    lay_out(run)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        with pytest.raises(RunFolderError, match="checkpoint: cannot be removed: Permission denied"):
            begin(run, {"task": "lm", "new": True})
    assert run.weights.exists()
    assert run.resume_point.exists()
    run.tidy()
    assert run.read_config()["new"]


def test_before_the_first_validation_there_are_no_weights(run):
    position = dict.fromkeys(("epoch", "step", "tokens", "best", "best_step"), 0) | {"finished": False}
    run.resume_point.save({"a": torch.zeros(1)}, {"position": position})
    with pytest.raises(RunFolderError, match=r"holds no weights yet, .*; go on with .*--out .*book --resume"):
        run.load_weights(nn.Linear(1, 1))
