"""Cells beside their peers: whose numbers are checked, what is measured, and what is made of it."""

import json
import time
from contextlib import nullcontext

import pytest
import torch

from ostinato.bench import accuracy, checking, groups, timing, worker
from ostinato.bench.cells import bandwidth, compilation, measure, plan, report, resets, targets
from ostinato.bench.groups import Group, Row
from ostinato.bench.problem import Problem, errors
from ostinato.bench.sides import LeftOutError, sides, why_left_out
from ostinato.bench.sides.compiled_loop import time_limit
from ostinato.bench.sides.eager import loop
from ostinato.config.bench import BenchCells
from ostinato.core.errors import ConfigError
from ostinato.core.registry import build, registered

SMALL = Row(3, 6, 8, 8)
CELLS = plan.names(())


@pytest.mark.parametrize("cell", CELLS)
def test_every_peer_of_a_cell_computes_the_same(cell):
    if cell == "sru":
        pytest.skip("its package compiles a library first: see the slow test")
    group = plan.groups([cell], [SMALL], (), 1.0)[0]
    problem = Problem.make(group, SMALL)
    reference = loop(problem, torch.float64).results()
    for peer in group.peers:
        if peer in ("native", "compiled", "loop") or why_left_out(peer):
            continue
        found = sides()[peer](problem).results()
        assert {name for name in reference if not name.startswith("final")} <= set(found), peer
        assert max(errors(found, reference).values()) < 1e-5, peer


@pytest.mark.slow
@pytest.mark.parametrize("work", ["training", "inference"])
def test_the_authors_sru_computes_the_same(work):
    pytest.importorskip("sru")
    for row in (SMALL, Row(3, 6, 4, 8)):
        problem = Problem.make(Group("sru", "sru", (), (), work), row)
        reference = loop(problem, torch.float64).results()
        found = sides()["sru"](problem).results()
        assert set(found) == set(reference)
        assert max(errors(found, reference).values()) < 1e-5


def test_jax_reads_out_states_and_runs_forward_alone():
    pytest.importorskip("jax")
    problem = Problem.make(Group("lru", "lru", (), (), "inference"), SMALL)
    found = sides()["jax"](problem).results()
    reference = loop(problem, torch.float64).results()
    assert set(found) == set(reference) == {"output", "final re", "final im", "final skip"}
    assert max(errors(found, reference).values()) < 1e-5


@pytest.mark.slow
def test_the_loop_compiled_by_torch():
    group = Group("rnn", "rnn", ("torch-compile",), ("torch-compile",), compile_limit=300)
    problem = Problem.make(group, Row(2, 3, 4, 4))
    side = sides()["torch-compile"](problem)
    assert side.seconds > 0
    reference = loop(problem, torch.float64).results()
    assert max(errors(side.results(), reference).values()) < 1e-5


def test_a_time_limit_interrupts():
    with pytest.raises(LeftOutError, match="not compiled after 0 s"), time_limit(0.01):
        time.sleep(60)
    with time_limit(100):
        pass


def test_who_is_compared():
    by_name = {group.name: group for group in plan.groups((), (), (), 1.0)}
    assert by_name.keys() >= registered().keys()
    assert by_name["gru"].peers[:2] == ("native", "compiled")
    assert by_name["gru"].against == ("loop", "torch", "jax", "flashrnn")
    assert by_name["mgu"].peers == ("loop", "jax", "torchrecurrent")
    assert by_name["sru-forward"].work == "inference"
    assert by_name["gru"].sizes == plan.ROWS
    asked = plan.groups(("gru",), (), ("jax", "torch-compile"), 7.0)
    assert [(group.name, group.peers) for group in asked] == [
        ("gru", ("jax",)),
        ("gru-torch-compile", ("torch-compile",)),
    ]
    assert [row.T for row in asked[1].sizes] == [100, 100, 200, 1000, 4000]
    assert groups.from_json(json.loads(json.dumps(groups.as_json(asked[1])))) == asked[1]
    assert set(plan.scans(CELLS)) >= {"min_gru", "lru", "sru"}
    assert "gru" not in plan.scans(CELLS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"only": ("gruu",)}, "--only: unknown cell 'gruu'"),
        ({"peers": ("keras",)}, "--peers keras: no such peer"),
        ({"work": ("play",)}, "--work: unknown 'play'"),
        ({"resume": True}, "--resume: expected --out"),
        ({"compile_limit": 0.0}, "--compile-limit"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        measure.measure(BenchCells(**options), lambda event: None)


@pytest.mark.slow
def test_a_side_that_fails_is_left_out_from_there_on(monkeypatch):
    """And a wrong one has no time, while the others have."""
    builders = dict(sides())

    def wrong(problem):
        side = builders["loop"](problem)
        honest = side.results
        side.results = lambda: honest() | {"output": honest()["output"] + 1}
        return side

    def fails(problem):
        raise LeftOutError("not today")

    monkeypatch.setattr(checking, "sides", lambda: builders | {"jax": wrong, "sru": fails})
    group = Group("gru", "gru", ("loop", "jax", "sru"), ("loop", "jax", "sru"), sizes=(SMALL, Row(2, 3, 4, 4)))
    job = {"groups": [groups.as_json(group)], "rows": [], "peers": [], "threads": 1, "isa": None, "seconds": 0.001}
    monkeypatch.setattr(worker, "why_left_out", lambda peer: None)
    monkeypatch.setattr(worker.machine, "sgemm", lambda: 1.0)
    (found,) = [event for event in worker.measure(job) if event["event"] == "group"]
    first, second = found["rows"]
    assert set(first["ms"]) == {"ostinato", "loop"}
    assert "output off" in first["wrong"]["jax"]
    assert first["left_out"] == {"sru": "not today"}
    assert second["left_out"] == {"sru": "not tried (N3 T6 H8: not today)"}
    assert found["runs"] in ("native", "compiled", "torch", "reference")


def test_a_slow_side_is_called_twice(monkeypatch):
    calls = []
    monkeypatch.setattr(timing, "SLOW", 0.0)
    found = timing.interleaved({"slow": timing.Timed(lambda: calls.append(1), nullcontext)}, 0.1)
    assert len(calls) == 2
    assert found["slow"].median >= 0


def test_a_cell_with_a_kink_is_judged_by_most_of_its_gradient():
    assert Problem.make(Group("min_gru", "min_gru", (), ()), SMALL).has_kinks
    assert not Problem.make(Group("gru", "gru", (), ()), SMALL).has_kinks
    reference = {"output": torch.ones(1000), "grad x": torch.ones(1000)}
    found = {"output": reference["output"].clone(), "grad x": reference["grad x"].clone()}
    found["grad x"][:9] += 1
    assert errors(found, reference)["grad x"] == 1
    assert errors(found, reference, 0.99) == {"output": 0, "grad x": 0}
    found["output"][0] = 3
    found["grad x"][9:12] += 0.5
    assert errors(found, reference, 0.99) == {"output": 2, "grad x": 0.5}
    own = {"output": 1e-6, "gradient": 1e-6}
    off = {"output": 1e-6, "gradient": 5e-4}
    assert accuracy.fault("ostinato", off, own, "highest", "float32", kinks=True) is None
    assert "gradient" in accuracy.fault("ostinato", off, own, "highest", "float32")


def test_a_chaotic_cell_is_checked_over_few_steps(monkeypatch):
    group = Group("lstm_layer_norm", "lstm_layer_norm", ("loop",), ("loop",))
    problem = Problem.make(group, Row(2, 30, 4, 4))
    calm, _ = checking.check(problem, ("ostinato", "loop"))
    assert calm.checked_steps == 30
    monkeypatch.setattr(checking, "CHAOTIC", 1e-9)
    found, ready = checking.check(problem, ("ostinato", "loop"))
    assert found.checked_steps == checking.FEW
    assert not found.wrong
    assert ready["loop"].results()["output"].shape[0] == 30


def row(sizes, **ms):
    N, T, H = sizes
    return {
        "row": {"N": N, "T": T, "D": H, "H": H},
        "errors": {"ostinato": {"output": 1e-7, "gradient": 1e-7}},
        "wrong": {},
        "left_out": {},
        "compile_s": {},
        "ms": {side: {"low": value, "median": value, "high": value} for side, value in ms.items()},
        "fastest": "loop",
        "ratio": ms.get("loop", 1.0) / ms["ostinato"],
        "of_sgemm": 0.5,
    }


def table(cell, *rows, runs="compiled", work="training"):
    about = {"cell": cell, "work": work, "precision": "highest", "dtype": "float32", "ragged": False, "options": {}}
    sgemm = {"before": 1.0, "after": 1.0, "usual": 1.0}
    rest = {"against": ["loop"], "runs": runs, "threads": 2, "isa": "avx2", "measured": "2026-01-01"}
    return {"group": cell, **about, **rest, "sgemm": sgemm, "void": False, "rows": list(rows)}


LONG, SHORT = (16, 1000, 64), (1, 100, 128)
TABLES = [
    table("gru", row(LONG, ostinato=8.0, compiled=4.0, native=2.0, loop=40.0), row(SHORT, ostinato=1.0), runs="native"),
    table("mgu", row(LONG, ostinato=1.0, loop=40.0, jax=3.0, torchrecurrent=7.0), row(SHORT, ostinato=1.0, loop=10.0)),
    table("min_gru", row(LONG, ostinato=2.0, loop=40.0), row(SHORT, ostinato=1.0)),
]


def test_targets_are_judged_by_what_counts():
    compiled = [{"cell": "mgu", "compile_s": 2.0, "load_ms": 30.0, "why": None}]
    compiled += [{"cell": "gru", "compile_s": 8.0, "load_ms": 10.0, "why": None}]
    shares = [{"cell": "min_gru", "share": 0.6, "why": None}, {"cell": "lru", "share": None, "why": "wrong"}]
    costs = [{"cell": "gru", "none_ms": 2.0, "resets_ms": 2.06, "loop_ms": 20.6, "why": None}]
    parts = {"compilation": compiled, "bandwidth": shares, "resets": costs}
    found = {each["target"]: each for each in targets.reached(TABLES, parts, ["min_gru"])}
    generated = found[targets.GENERATED.title]
    assert (generated["mean"], generated["reached"]) == (0.5, False)
    by_loop = found[targets.LOOP.title]  # the GRU by what is compiled, not by its own kernel
    assert by_loop["cells"] == 2
    assert by_loop["mean"] == pytest.approx((10 * 40 * 10) ** (1 / 3), abs=1e-3)
    assert (by_loop["worst"], by_loop["worst_cell"]) == (10.0, "gru")
    assert found[targets.SCANS.title]["mean"] == 4.0  # in the long row alone
    assert found[targets.BANDWIDTH.title]["reached"]
    cold = found[targets.COLD.title]
    assert (cold["worst"], cold["worst_cell"], cold["mean"], cold["reached"]) == (8.0, "gru", 4.0, False)
    assert found[targets.CACHED.title]["reached"]
    assert (found[targets.RESETS.title]["mean"], found[targets.RESETS.title]["reached"]) == (1.03, True)
    assert found[targets.STEPWISE.title]["mean"] == 10.0
    assert targets.reached([], dict.fromkeys(parts, ()), []) == []


def test_what_products_alone_allow():
    lines = report.scans([*TABLES, table("lru", row(LONG, ostinato=4.0)), table("qrnn", row(LONG, ostinato=8.0))])
    assert lines[1:] == [
        ["min_gru", "2", "4.00", "3.00", "2"],  # of the GRU's six products it has two
        ["lru", "2", "2.00", "1.20", "2"],
        ["qrnn", "2", "1.00", "1.00", "2"],
    ]


def test_the_page_and_the_folder(tmp_path):
    machine = {"cpu": "Some CPU", "cores": 2, "isa": "avx2", "versions": {}}
    parts = {
        "compilation": [{"cell": "mgu", "compile_s": 2.0, "load_ms": 30.0, "why": None}],
        "bandwidth": [],
        "resets": [],
    }
    first = measure.summary(parts, machine, TABLES[:2], [])
    page = report.markdown(first)
    for piece in ("| mgu | compiled | 1 (N16 T1000 H64) |", "20.00", "7.00 (1 of 2)", "| mgu | 2.00 | 30 |"):
        assert piece in page
    report.write(first, tmp_path)
    other = measure.summary({part: [] for part in measure.PARTS}, machine, [TABLES[2]], [])
    whole = report.merged(other, tmp_path)
    assert [each["group"] for each in whole["tables"]] == ["gru", "mgu", "min_gru"]
    assert whole["compilation"] == parts["compilation"]
    assert any(each["target"] == targets.SCANS.title for each in whole["targets"])


def test_only_what_is_lacking_is_measured_again():
    given = plan.groups(("gru", "mgu"), [Row(16, 1000, 64, 64), Row(2, 3, 4, 4)], (), 1.0)
    setting = measure.tables.Setting(2, None)
    left = measure._unmeasured(given, {"tables": TABLES}, setting)
    assert [(group.name, group.sizes) for group in left] == [(g, (Row(2, 3, 4, 4),)) for g in ("gru", "mgu")]
    assert measure._unmeasured(given, None, setting) == given


@pytest.mark.slow
def test_the_recurrence_alone_is_compiled_and_compared_with_a_copy(library, monkeypatch):
    monkeypatch.setattr(bandwidth, "COPIED", 1 << 16)
    monkeypatch.setenv("OSTINATO_COMPILE", "1")
    found = bandwidth.rates(build("lru", 8, 8), Row(2, 9, 8, 8), 0.001)
    assert found["why"] is None
    assert found["share"] == pytest.approx(found["gb_s"] / found["copy_gb_s"], rel=0.5, abs=0.01)
    monkeypatch.setenv("OSTINATO_COMPILE", "0")
    assert "turned off" in bandwidth.rates(build("lru", 8, 8), SMALL, 0.001)["why"]


def test_the_recurrence_alone_is_the_cells():
    cell = build("min_lstm", 5, 4)
    alone = bandwidth.Alone(cell)
    given = bandwidth._given(cell, Row(2, 7, 5, 4))
    whole = bandwidth._run(alone, given, measure_with(cell), torch.float64)
    assert torch.equal(whole["output"], bandwidth._run(alone, given, bandwidth.unroll, torch.float64)["output"])
    assert alone.input_size == given.x.shape[-1]


def measure_with(cell):
    """Steps one by one of what `project` gave."""

    def run(alone, p, x, state):
        outputs = []
        for at in x:
            output, state = cell.step(p, at, state)
            outputs.append(output)
        return bandwidth.Unrolled(torch.stack(outputs), state)

    return run


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_resets_are_what_a_call_for_each_step_makes(cell):
    found = resets.cost(cell, 0.001, Row(2, 9, 5, 4))
    assert found["why"] is None
    assert min(found[f"{way}_ms"] for way in ("none", "resets", "loop")) > 0


@pytest.mark.slow
def test_cold_and_from_the_cache(library):
    (found,) = list(compilation.measure(["min_gru"], (), 1))
    assert found["why"] is None
    assert found["compile_s"] > found["load_ms"] / 1e3 > 0
