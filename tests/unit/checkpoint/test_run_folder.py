"""The files of a run: when a folder may be written, and what of it can be read."""

import pytest
import torch
from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.core.errors import RunFolderError
from ostinato.models.language_model import LanguageModel
from tests.support import contents


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "book")
    folder.claim(resume=False, overwrite=False)
    folder.start({"task": "lm", "model": {}})
    return folder


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


@pytest.mark.parametrize("name", [".config.json.4711.tmp", ".write-test"])
def test_what_a_kill_left_before_there_was_a_configuration_is_no_obstacle(tmp_path, name):
    (tmp_path / name).write_text("{")
    RunFolder(tmp_path).claim(resume=True, overwrite=False)


def test_start_clears_the_old_run_away_but_nothing_else(run):
    run.save_weights(nn.Linear(2, 2))
    run.metrics.touch()
    run.resume_point.save({}, {})
    (run.path / "notes.txt").touch()
    run.start({"task": "lm"})
    assert sorted(item.name for item in run.path.iterdir()) == ["config.json", "notes.txt"]


def test_a_kill_during_start_leaves_a_run_that_can_be_resumed_or_overwritten(run, killed_at):
    for number in range(1, 10):
        run.save_weights(nn.Linear(2, 2))
        run.resume_point.save({}, {"position": {}})
        killed = killed_at(lambda: run.start({"task": "lm", "new": True}), number)
        assert run.read_config()["task"] == "lm"
        run.claim(resume=True, overwrite=False)
        if not killed:
            break
    assert number > 3


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
    with run.alone(), pytest.raises(RunFolderError, match="book: another process is training here"), run.alone():
        pass
    with run.alone():
        pass


def test_a_new_run_does_not_go_on_from_a_checkpoint_behind_a_link(run, tmp_path):
    elsewhere = tmp_path / "larger disk"
    elsewhere.mkdir()
    run.resume_point.folder.symlink_to(elsewhere)
    run.resume_point.save({"a": torch.zeros(1)}, {"position": {}})
    assert len(list(elsewhere.iterdir())) == 2
    run.start({"task": "lm", "model": {}})
    assert not run.resume_point.exists()
    assert not list(elsewhere.iterdir())


def test_a_checkpoint_that_cannot_be_removed_stops_a_new_run(run):
    run.resume_point.save({"a": torch.zeros(1)}, {"position": {}})
    (run.resume_point.folder / "mine").mkdir()
    run.weights.touch()
    with pytest.raises(RunFolderError, match="checkpoint: cannot be removed"):
        run.start({"task": "lm", "model": {}})
    assert run.weights.exists()
    assert not run.resume_point.exists()


def test_before_the_first_validation_there_are_no_weights(run):
    position = dict.fromkeys(("epoch", "step", "tokens", "best", "finished", "best_step"), 0)
    run.resume_point.save({"a": torch.zeros(1)}, {"position": position})
    with pytest.raises(RunFolderError, match=r"holds no weights yet, .*; go on with .*--out .*book --resume"):
        run.load_weights(nn.Linear(1, 1))
