"""`--precision auto`: what it takes, what the run folder says of it, and that a run keeps to it."""

import importlib
import json
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ostinato
from ostinato import kernels
from ostinato.api import training
from ostinato.core.errors import ConfigError
from ostinato.tasks import TRAIN_OPTIONS
from ostinato.tasks.lm.options import TrainLm
from tests.support import prose

ROOT = Path(__file__).parents[3]
TINY = {"hidden": 8, "batch": 4, "steps": 10, "threads": 1, "dropout": 0.0, "epochs": 1}


@pytest.fixture
def text(tmp_path):
    (tmp_path / "book.txt").write_text(prose())
    return tmp_path / "book.txt"


@pytest.fixture
def machine(monkeypatch):
    """Says whether the processor multiplies bfloat16, and whether the task is known to be the same by it."""

    def be(*, multiplies, known=True):
        monkeypatch.setattr(kernels.native, "multiplies_bfloat16", lambda: multiplies)
        monkeypatch.setattr(TrainLm, "BFLOAT16", known)

    return be


@pytest.fixture
def settings(monkeypatch):
    """The precisions that losses and validations were computed in."""
    seen = {"loss": set(), "validate": set()}

    def noting(name, function):
        def noted(*arguments):
            seen[name].add(torch.get_float32_matmul_precision())
            return function(*arguments)

        return noted

    def job_of(*arguments, **options):
        job = original(*arguments, **options)
        return replace(job, loss=noting("loss", job.loss), validate=noting("validate", job.validate))

    original = training.job_of
    monkeypatch.setattr(training, "job_of", job_of)
    return seen


def config_of(run):
    return json.loads((run / "config.json").read_text())


@pytest.mark.parametrize(
    ("multiplies", "known", "used", "said"),
    [
        (True, True, "medium", "products in bfloat16: this processor multiplies it"),
        (True, False, "highest", "products in float32: no table shows yet that figures of lm are the same"),
        (False, True, "highest", "products in float32: this processor does not multiply bfloat16"),
    ],
)
def test_auto_goes_by_machine_and_task(text, tmp_path, machine, settings, capfd, multiplies, known, used, said):
    machine(multiplies=multiplies, known=known)
    ostinato.train("lm", text, out=tmp_path / "run", test=str(text), **TINY)
    assert settings == {"loss": {used}, "validate": {"highest"}}
    config = config_of(tmp_path / "run")
    assert config["precision"] == {"asked": "auto", "used": used}
    assert config["options"]["precision"] == used
    assert said in capfd.readouterr().err.splitlines()[0]


def test_what_is_asked_for_is_taken_everywhere(text, tmp_path, machine, settings, capfd):
    machine(multiplies=False)
    ostinato.train("lm", text, out=tmp_path / "run", precision="medium", **TINY)
    assert settings == {"loss": {"medium"}, "validate": {"medium"}}
    assert config_of(tmp_path / "run")["precision"] == {"asked": "medium", "used": "medium"}
    assert "products in" not in capfd.readouterr().err


def test_a_run_keeps_to_what_it_used(text, tmp_path, machine, settings, capfd):
    machine(multiplies=True)
    ostinato.train("lm", text, out=tmp_path / "run", **TINY)
    machine(multiplies=False)
    again = TINY | {"epochs": 2}
    with pytest.raises(ConfigError, match="started with precision = 'medium', now it is 'highest'"):
        ostinato.train("lm", text, out=tmp_path / "run", resume=True, precision="highest", **again)
    capfd.readouterr()
    ostinato.train("lm", text, out=tmp_path / "run", resume=True, **again)
    assert settings == {"loss": {"medium"}, "validate": {"highest"}}
    assert config_of(tmp_path / "run")["precision"] == {"asked": "auto", "used": "medium"}
    assert "the run began in bfloat16, which this processor does not multiply" in capfd.readouterr().err

    machine(multiplies=True, known=True)
    ostinato.train("lm", text, out=tmp_path / "float", precision="highest", **TINY)
    ostinato.train("lm", text, out=tmp_path / "float", resume=True, **again)
    assert config_of(tmp_path / "float")["precision"] == {"asked": "highest", "used": "highest"}


def test_a_run_of_an_earlier_version_goes_on(text, tmp_path, machine, settings):
    machine(multiplies=True)
    run = tmp_path / "run"
    ostinato.train("lm", text, out=run, precision="medium", **TINY)
    config = config_of(run)
    del config["precision"]
    (run / "config.json").write_text(json.dumps(config))
    ostinato.train("lm", text, out=run, resume=True, **TINY | {"epochs": 2})
    assert settings == {"loss": {"medium"}, "validate": {"medium"}}


def test_a_gpu_keeps_float32(machine, tmp_path, monkeypatch):
    machine(multiplies=True)
    monkeypatch.setattr("ostinato.api.precision.resolve", lambda name: torch.device("cuda"))
    found = ostinato.api.precision.products_of(TrainLm(text=("book.txt",), out="run"))
    assert (found.used, found.measured) == ("highest", "highest")
    assert "only of the processor" in found.why


def test_the_rate_test_multiplies_as_the_training_would(text, machine, monkeypatch):
    machine(multiplies=True)
    seen = []
    module = importlib.import_module("ostinato.api.finding_rate")
    monkeypatch.setattr(
        module, "range_test", lambda *a, **b: seen.append(torch.get_float32_matmul_precision()) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        ostinato.find_lr("lm", text, **TINY)
    assert seen == ["medium"]


def test_an_emulation_is_not_taken_for_a_processor(monkeypatch):
    library = kernels.native_cells.native_library.load()
    if isinstance(library, str):
        pytest.skip(library)
    wanted = {"amx": True, "avx512_bf16": True, "amx_emulated": False, "avx512": False, "avx2": False}
    for isa in wanted.keys() & set(library.isas):
        monkeypatch.setattr(library, "isa", isa)
        assert kernels.native.multiplies_bfloat16() == wanted[isa], isa


@pytest.fixture(scope="module")
def table():
    return runpy.run_path(str(ROOT / "scripts" / "precision_table.py"))


@pytest.mark.parametrize("task", list(TRAIN_OPTIONS))
def test_a_task_is_switched_by_its_table_alone(task, table):
    """`BFLOAT16` says that benchmarks/results/precision.jsonl shows the same figures over three seeds, in each case."""
    cases = [case for case in table["CASES"] if case.split()[0] == task]
    assert cases
    if TRAIN_OPTIONS[task].BFLOAT16:
        assert all(table["same"](case, table["kept_lines"]()) for case in cases)


@pytest.mark.parametrize(
    ("float32", "bfloat16", "same"),
    [
        ((0.90, 0.91, 0.92), (0.905, 0.93, 0.91), True),
        ((0.90, 0.91, 0.92), (0.88, 0.88, 0.88), False),
        ((0.90, 0.91, 0.92), (0.91, 0.91), False),
        ((0.90, 0.91, 0.92), (), False),
    ],
)
def test_figures_are_the_same_within_what_seeds_make(float32, bfloat16, same, table):
    lines = [
        {"task": "lm", "precision": precision, "seed": seed, "value": value, "isa": "amx"}
        for precision, values in (("highest", float32), ("medium", bfloat16))
        for seed, value in enumerate(values, 1)
    ]
    assert table["same"]("lm", [*lines, {**lines[0], "task": "tag", "value": 9.0}]) == same
    assert ("| yes |" in table["written"](lines)) == same
