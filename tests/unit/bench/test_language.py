"""Language models side by side: every side computes the same, and a wrong number gets no time."""

import copy
import json
from functools import cache
from pathlib import Path

import pytest
import torch

from ostinato.bench.language import measure, memory, numpy_side, our_sides, plan, report, torch_sides, worker
from ostinato.bench.language.problem import WRITTEN, Problem
from ostinato.bench.problem import errors
from ostinato.config.bench import BenchLm
from ostinato.core.errors import ConfigError
from ostinato.losses import activation_penalty, sequence_cross_entropy

SMALL = {"batch": 3, "steps": 20}
WORDS = {**SMALL, "vocab_size": 40, "hidden": 12, "embed": 12}
CHANGES = {"hello": {}, "char": SMALL | {"hidden": 12}, "awd-lstm": WORDS | {"embed": 8}}


@cache
def torch_has_bfloat16_lstms():
    """It has none on processors without AVX-512, where its LSTM under autocast raises."""
    try:
        with torch.autocast("cpu", torch.bfloat16):
            torch.nn.LSTM(2, 2)(torch.zeros(1, 1, 2))
    except RuntimeError:
        return False
    return True


@pytest.fixture(scope="module", params=plan.MEASURED)
def problem(request):
    return Problem.make(request.param, **CHANGES.get(request.param, WORDS))


def test_every_side_computes_what_autograd_makes_of_our_model_in_float64(problem):
    model, batch = copy.deepcopy(problem.model).double().eval(), problem.batches[0]
    output = model(batch.inputs)
    loss = sequence_cross_entropy(output, batch)
    regularised = problem.options.regularisation
    (loss + activation_penalty(output, regularised.ar, regularised.tar)).backward()
    expected = {"output": loss.detach(), **{f"grad {name}": p.grad for name, p in model.named_parameters()}}
    exact = torch_sides.reference(problem)
    assert set(exact) == set(expected)
    assert max(errors(exact, expected).values()) < 1e-12
    sides = {"ostinato": our_sides.OurTraining(problem, "highest"), "torch": torch_sides.TorchTraining(problem)}
    if numpy_side.unsupported(problem) is None:
        sides["numpy"] = numpy_side.NumpyTraining(problem)
    for name, side in sides.items():
        before = side.results()
        assert set(before) == set(expected), name
        assert max(errors(before, expected).values()) < 3e-6, name
        side.run()
        assert max(errors(side.results(), before).values()) == 0, name  # what is checked is not what is trained
    if torch_has_bfloat16_lstms():
        rough = torch_sides.TorchTraining(problem, autocast=True)
        rough.run()
        assert 1e-5 < max(errors(rough.results(), expected).values()) < 0.05


def test_every_side_of_one_step_changes_the_weights_alike():
    """Without dropout: gradient, clipping and optimiser together."""
    problem = Problem.make("better-rnnlm", **WORDS, dropout=0.0)
    ours, theirs = our_sides.OurTraining(problem, "highest"), torch_sides.TorchTraining(problem)
    for _ in range(3):
        for side in (ours, theirs):
            side.run()
    own, before = dict(ours._job.model.named_parameters()), dict(problem.model.named_parameters())
    for name, parameter in theirs.model.parameters_by_name().items():
        torch.testing.assert_close(own[name], parameter, rtol=1e-4, atol=1e-5)
        assert (parameter - before[name]).abs().max() > 1e-3, name


def test_what_the_trainer_does_is_what_is_timed(monkeypatch):
    from ostinato.training import Trainer

    seen, step = [], Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self, batch: (seen.append(batch), step(self, batch)))
    problem = Problem.make("rnnlm", **WORDS)
    side = our_sides.OurTraining(problem, "highest")
    for _ in range(len(problem.batches) + 1):
        side.run()
    assert len(seen) == len(problem.batches) + 1
    assert torch.equal(seen[0].inputs, seen[-1].inputs)  # the next epoch
    assert side._trainer.position.epoch == 1


def test_weight_drop_and_word_dropout_act_in_plain_torch_too():
    model = torch_sides.plain(Problem.make("awd-lstm", **CHANGES["awd-lstm"]))
    words = torch.zeros(20, 3, dtype=torch.long)
    kept = dict(model.parameters_by_name())["recurrent.weight_hh_l0"].clone()
    first, again = model(words)[0], model(words)[0]
    assert not torch.equal(first, again)
    assert torch.equal(model.parameters_by_name()["recurrent.weight_hh_l0"], kept)
    model.rates = dict.fromkeys(model.rates, 0.0)
    model.sizes = model.sizes | {"embedding_dropout": 0.0}
    assert not torch.equal(model(words)[0], model(words)[0])  # only the weights are dropped now
    assert torch.equal(model.eval()(words)[0], model(words)[0])


def test_evaluation_and_generation_agree(problem):
    sides = [our_sides.OurEvaluation(problem, "highest"), torch_sides.TorchEvaluation(problem)]
    own, other = (side.results()["output"] for side in sides)
    assert own == pytest.approx(float(other), rel=1e-6)
    own, other = (
        side(problem).results()["output"]
        for side in (lambda given: our_sides.OurGeneration(given, "highest"), torch_sides.TorchGeneration)
    )
    assert len(own) == WRITTEN
    assert torch.equal(own, other)
    by_cells = torch_sides.TorchCellGeneration(problem)
    assert torch.equal(by_cells.results()["output"], own)
    by_cells.run()


def section(work="training", **changes):
    chosen = plan.Section(work, "rnnlm", WORDS | changes)
    return chosen, Problem.make(chosen.preset, **chosen.changes)


def test_nothing_is_begun_once_the_time_is_over():
    job = {"sections": [["training", "hello", {}]] * 2, "peers": [], "threads": 1, "seconds": 0.001, "time_limit": 1e-6}
    _, *events = worker.measure(job)
    assert [(event["event"], event["peer"]) for event in events] == [("skipped", "all")] * 2


def test_rows_have_what_other_programs_read():
    if not torch_has_bfloat16_lstms():
        pytest.skip("torch has no bfloat16 LSTM on this processor")
    chosen, problem = section()
    rows = worker.measure_section(chosen, problem, list(plan.COMPARED["training"]), 0.001)
    assert [(row["precision"], row["peer"]) for row in rows] == list(plan.COMPARED["training"])
    for row in rows:
        assert row["ratio"] == round(row["peer_ms"] / row["ours_ms"], 3)
        assert row["ours_tokens_per_second"] == pytest.approx(60e3 / row["ours_ms"], rel=1e-3)
        assert row["wrong"] == {}
    assert [row["wanted"] for row in rows] == [2.5, None, 6.0, 2.0]


def test_a_wrong_number_gets_no_time(monkeypatch):
    honest = our_sides.OurTraining.results

    def wrong(self):
        found = honest(self)
        return found | {"grad decoder.bias": found["grad decoder.bias"] * 1.0001}

    monkeypatch.setattr(our_sides.OurTraining, "results", wrong)
    chosen, problem = section()
    (row,) = worker.measure_section(chosen, problem, [("highest", "torch")], 0.001)
    assert (row["ours_ms"], row["peer_ms"], row["ratio"]) == (None, None, None)
    assert "gradient off" in row["wrong"]["ostinato highest"]
    assert measure.summary({work: [row] if work == "training" else [] for work in plan.COMPARED})["wrong"]


@pytest.mark.parametrize(("precision", "allowed"), [("highest", 4e-6), ("medium", 1e-3)])
def test_a_loss_may_be_off_by_what_the_guide_says(precision, allowed, monkeypatch):
    class Side:
        def __init__(self, error):
            self.error = error

        def results(self):
            return {"output": torch.tensor(2.0 * (1 + self.error), dtype=torch.float64)}

    monkeypatch.setattr(worker, "reference", lambda problem, work: Side(0.0).results())
    monkeypatch.setattr(worker, "build", lambda name, work, problem: Side(0.0))  # the yardstick is right by luck
    for error in (0.99 * allowed, 1.01 * allowed):
        _, wrong = worker.check({f"ostinato {precision}": Side(error)}, None, "training")
        assert bool(wrong) == (error > allowed)
    guide = Path(__file__).parents[3] / "docs/guides/benchmarks.md"
    assert 'off by 4e-6 of itself, in "medium" 1e-3' in " ".join(guide.read_text().split())


def test_who_takes_part():
    _, problem = section()
    assert worker.taking_part("training", problem, ["numpy"])[0] == [("highest", "numpy")]
    found, skipped = worker.taking_part("training", Problem.make("awd-lstm", **CHANGES["awd-lstm"]), ["numpy"])
    assert (found, skipped[0]["peer"]) == ([], "numpy")
    narrower = Problem.make("better-rnnlm", **WORDS | {"embed": 8}, tied=True)
    found, skipped = worker.taking_part("training", narrower, ["numpy"])
    assert (found, skipped[0]["why"]) == ([], "the NumPy version has no last layer of another size")
    peephole = Problem.make("rnnlm", **WORDS, cell="lstm_peephole")
    assert "torch.nn has no lstm_peephole" in worker.taking_part("training", peephole, ["torch"])[1][0]["why"]


def test_scores_that_do_not_fit_are_not_made(monkeypatch):
    monkeypatch.setattr(worker, "available", lambda: 1e5)
    _, problem = section("vocabulary")
    assert worker.taking_part("vocabulary", problem, ["torch"])[0] == [("highest", "torch")]
    assert len(worker.taking_part("vocabulary", problem, [])[0]) == 2
    monkeypatch.setattr(worker, "available", lambda: 1e4)
    assert worker.taking_part("vocabulary", problem, [])[0] == [("highest", "torch-chunked")]
    found, skipped = worker.taking_part("vocabulary", problem, ["torch"])
    assert found == [("highest", None)]
    assert "60 tokens" in skipped[0]["why"]


def test_the_peak_of_memory_is_seen():
    class Takes:
        def run(self):
            torch.zeros(40_000_000)  # 160 MB, gone again

    found = memory.peak_above(Takes, owned=lambda built: 10.0)
    assert found is None or 140 < found < 175
    kept = []
    found = memory.peak_above(lambda: (kept.append(torch.ones(25_000_000)), Takes())[1], owned=lambda built: 100.0)
    assert found is None or 150 < found < 185


def test_what_a_step_cannot_do_without_is_what_it_has():
    """Our gradient of the embedding has a row for each word of the piece, plain PyTorch's one for every word. To leave
    a dense one out of the peak where nobody has it would hide as much memory that somebody uses.
    """
    _, problem = section("vocabulary")
    weights = sum(p.nbytes for p in problem.model.parameters())
    embedding = problem.model.embedding.weight.nbytes
    row = embedding // 40
    sides = {name: worker.build(name, "training", problem) for name in ("ostinato highest", "torch")}
    for side in sides.values():
        side.run()
    words = len(problem.batches[0].inputs.unique())
    assert words < 40
    held = {name: memory.held(side.model) * 1e6 for name, side in sides.items()}
    assert held["ostinato highest"] == pytest.approx(2 * weights - embedding + words * row)
    assert held["torch"] == pytest.approx(2 * weights)


def test_memory_counts_what_is_made_beside_a_sparse_gradient():
    class Side:
        def __init__(self):
            self.model = torch.nn.Embedding(10_000_000, 1, sparse=True)

        def run(self):
            self.model(torch.arange(10)).sum().backward()
            torch.zeros(10_000_000)  # 40 MB that a dense gradient would have taken

    found = memory.peak_above(Side, owned=lambda side: memory.held(side.model))
    assert found is None or 35 < found < 55


def test_sections():
    everything = plan.sections((), (), (10, 30))
    names = [str(one) for one in everything]
    assert {f"training {preset}" for preset in plan.MEASURED} <= set(names)
    assert names[-3:] == ["a vocabulary of 10", "a vocabulary of 30", "a vocabulary of 30, 4,096 tokens a step"]
    assert [str(one) for one in plan.sections(("char",), (), (10,))] == [
        f"{work} char" for work in ("training", "generation", "evaluation")
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"presets": ("rnnml",)}, "--presets: unknown 'rnnml'.*rnnlm"),
        ({"work": ("train",)}, "--work: unknown 'train'"),
        ({"peers": ("jax",)}, "--peers: unknown 'jax'"),
        ({"threads": 4096}, "--threads: expected at most 1,024, got 4,096"),
        ({"seconds": 0.0}, "--seconds: expected more than 0"),
        ({"vocabulary": ()}, "--vocabulary: expected one size or more"),
        ({"vocabulary": (1,)}, "--vocabulary: expected at least 2"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        measure.measure(BenchLm(**options), lambda event: None)


def row(preset="rnnlm", peer="torch", ratio=2.0, **more):
    sgemm = {"before": 100.0, "after": 90.0, "usual": 110.0}
    found = {"preset": preset, "precision": "highest", "ours_ms": 20.0, "peer": peer, "peer_ms": ratio and 20.0 * ratio}
    found |= {"ratio": ratio, "wanted": 2.5, "tokens": 700, "ours_tokens_per_second": 35000.0}
    found |= {
        "peer_tokens_per_second": ratio and 35000.0 / ratio,
        "ours_quartiles_ms": [19.0, 21.0],
        "peer_quartiles_ms": [15.0, 60.0],
        "measured": "2026-01-01",
    }
    return found | {"errors": {"ostinato": {"output": 1e-7}}, "wrong": {}, "sgemm": sgemm, "void": False} | more


def result(**rows):
    machine = {"cpu": "Some CPU", "cores": 2, "isa": "avx2", "versions": {"torch": "2"}}
    found = {work: rows.get(work, []) for work in plan.COMPARED}
    return {"machine": machine, "threads": 2, "measured": "2026-01-01", **measure.summary(found), "skipped": []}


def test_a_page_with_every_number():
    sized = row(vocabulary=250_000, ours_mb=123.4, peer_mb=None, peer=None, peer_ms=None, ratio=None, wanted_mb=300.0)
    wrong = row("awd-lstm", wrong={"ostinato highest": "loss off"}, ours_ms=None)
    page = report.markdown(result(training=[row(void=True), wrong], vocabulary=[sized]))
    for piece in (
        "2.00",
        "35,000",
        "17,500",
        "loss off",
        "123 (wanted 300)",
        "250,000",
        "rnnlm (void)",
        "40 (15 to 60)",
        "Void rows",
        "90 to 100",
    ):
        assert piece in page
    assert "Generation" not in page


def test_a_folder_is_filled_in_parts(tmp_path):
    pytest.importorskip("matplotlib")
    report.write(result(training=[row(), row(peer="numpy")], generation=[row("char")]), tmp_path)
    both = report.merged(result(training=[row(ratio=3.0), row("char")]), tmp_path)
    assert {path.suffix for path in report.write(both, tmp_path)} == {".md", ".json", ".png"}
    assert json.loads((tmp_path / "lm-some-cpu.json").read_text()) == both
    assert [(r["preset"], r["peer"], r["ratio"]) for r in both["rows"]] == [
        ("rnnlm", "torch", 3.0),
        ("rnnlm", "numpy", 2.0),
        ("char", "torch", 2.0),
    ]
    assert len(both["generation"]) == 1


def test_the_figures_that_are_kept_are_of_all_that_is_compared():
    """What is measured against whom may have changed since."""
    files = list((Path(__file__).parents[3] / "benchmarks" / "results").glob("lm-*.json"))
    assert files
    for file in files:
        kept = json.loads(file.read_text())
        left_out = {(one["work"], one["peer"]) for one in kept["skipped"]}
        for work, pairs in plan.COMPARED.items():
            there = {(row["precision"], row["peer"]) for row in kept["rows" if work == "training" else work]}
            assert not [pair for pair in pairs if pair not in there and (work, pair[1]) not in left_out], file.name
