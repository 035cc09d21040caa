"""What is timed is checked first, against an independent source; and the timing itself."""

import importlib.util
import itertools
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from ostinato.bench import accuracy, checking, timing, worker
from ostinato.bench.groups import GROUPS, Row
from ostinato.bench.problem import Problem, errors
from ostinato.bench.sides import NEEDS, sides, why_left_out
from ostinato.bench.sides.eager import loop
from ostinato.native.library import load

GROUP = {group.name: group for group in GROUPS}
STRICT = [group for group in GROUPS if (group.precision, group.dtype) == ("highest", "float32")]
SMALL = Row(3, 6, 4, 5)


def test_the_problem_is_what_torch_computes():
    problem = Problem.make(GROUP["lstm"], SMALL)
    layer = torch.nn.LSTM(4, 5).double()
    layer.load_state_dict(problem.layer.state_dict())
    x = problem.x.double().requires_grad_()
    output, (h, c) = layer(x)
    output.backward(problem.upstream.double())
    reference = loop(problem, torch.float64).results()
    assert set(reference) == {"output", "final h", "final c", "grad x", *(f"grad {n}" for n in layer.state_dict())}
    expected = {"output": output, "final h": h[0], "final c": c[0], "grad x": x.grad}
    expected |= {f"grad {name}": p.grad for name, p in layer.named_parameters()}
    for name, tensor in expected.items():
        torch.testing.assert_close(reference[name], tensor, rtol=1e-9, atol=1e-9, msg=name)


def test_operations_are_those_of_the_products():
    assert Problem.make(GROUP["gru"], SMALL).flops == 2 * 3 * 6 * 3 * 5 * (4 + 5) * 3
    assert Problem.make(GROUP["inference-lstm"], SMALL).flops == 2 * 3 * 6 * 4 * 5 * (4 + 5)
    ragged = Problem.make(GROUP["ragged"], SMALL)
    assert ragged.flops == 2 * int(ragged.lengths.sum()) * 4 * 5 * 9 * 3


@pytest.mark.parametrize(
    ("group", "name"),
    [(group, name) for group in GROUPS for name in ("ostinato", *group.peers)],
    ids=lambda one: getattr(one, "name", one),
)
def test_every_side_computes_the_same(group, name):
    if missing := [package for package in NEEDS.get(name, ()) if importlib.util.find_spec(package) is None]:
        pytest.skip(f"{', '.join(missing)} not installed (extra bench)")
    if name == "onnxruntime-int8" and getattr(load(), "int8", None) == "avx2":
        pytest.skip("ONNX Runtime's sums of products of bytes overflow on AVX2 without VNNI")
    problem = Problem.make(group, SMALL)
    reference = loop(problem, torch.float64).results()
    found = sides()[name](problem).results()
    assert "output" in found
    if problem.training and name != "torch-padded":
        assert {n for n in reference if n.startswith("grad")} <= set(found)
    coarse = ("ostinato", "torch-bf16", "onnxruntime-int8")
    precise = name not in coarse or (name == "ostinato" and group in STRICT)
    assert max(errors(found, reference).values()) < (3e-6 if precise else 0.05)


def test_errors_are_relative_to_the_largest_number():
    reference = {"output": torch.tensor([2.0, -4.0]), "grad x": torch.tensor([0.5])}
    found = {"output": torch.tensor([2.0, -3.0]), "grad x": torch.tensor([0.5])}
    assert errors(found, reference) == {"output": 0.25, "grad x": 0.0}
    assert errors({"output": torch.tensor([2.0, torch.nan])}, reference)["output"] != 0


def test_what_is_allowed():
    own = {"output": 1e-6, "gradient": 0.0}
    assert accuracy.worst({"output": 1.0, "final h": 2.0, "grad x": 3.0}) == {"output": 2.0, "gradient": 3.0}
    assert accuracy.worst({"output": 1.0, "final h": float("nan"), "final c": 0.5})["output"] != 0.5
    assert accuracy.fault("ostinato", {"output": 3.9e-6, "gradient": 4e-7}, own, "highest", "float32") is None
    assert "output" in accuracy.fault("ostinato", {"output": 4.1e-6}, own, "highest", "float32")
    assert "gradient" in accuracy.fault("ostinato", {"gradient": 5e-7}, own, "highest", "float32")
    assert accuracy.fault("ostinato", {"output": float("nan")}, own, "highest", "float32")
    assert accuracy.fault("jax", {"output": 1e-4}, own, "highest", "float32") is None
    assert accuracy.fault("jax", {"output": 1e-2}, own, "highest", "float32")


def test_a_wrong_number_gets_no_time(monkeypatch):
    right = worker.measure_row(GROUP["lstm"], SMALL, ["torch"], 0.001)
    assert right["wrong"] == {}
    assert right["ratio"] == round(right["ms"]["torch"]["median"] / right["ms"]["ostinato"]["median"], 3)

    builders = sides()

    def ours(problem):
        side = builders["ostinato"](problem)
        honest = side.results
        side.results = lambda: honest() | {"grad x": honest()["grad x"] * 1.0001}
        return side

    monkeypatch.setattr(checking, "sides", lambda: builders | {"ostinato": ours})
    wrong = worker.measure_row(GROUP["lstm"], SMALL, ["torch"], 0.001)
    assert "gradient" in wrong["wrong"]["ostinato"]
    assert (wrong["ms"], wrong["ratio"]) == ({}, None)


def test_a_missing_peer_is_named(monkeypatch):
    monkeypatch.setattr("ostinato.bench.sides.find_spec", lambda package: None)
    assert why_left_out("torch") is None
    assert "onnx and onnxruntime not installed" in why_left_out("onnxruntime")


def test_sides_take_turns_and_their_medians_are_right(monkeypatch):
    calls, now = [], [0.0]
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def side(name, *seconds):
        lasts = itertools.cycle(seconds)

        def call():
            calls.append(name)
            now[0] += next(lasts)

        return timing.Timed(call, nullcontext)

    found = timing.interleaved({"a": side("a", 0.002), "b": side("b", 0.006, 0.005, 0.007)}, 0.3)
    assert found["a"] == pytest.approx((2, 2, 2))
    assert found["b"] == pytest.approx((5, 6, 7))
    changes = sum(before != after for before, after in itertools.pairwise(calls))
    assert changes >= timing.TURNS


def test_the_loop_is_timed_without_seeding(monkeypatch):
    """A seed for every device there may be takes torch longer than a step."""
    side = sides()["loop"](Problem.make(GROUP["lstm"], SMALL))
    expected = side.results()
    monkeypatch.setattr(torch, "manual_seed", lambda seed: pytest.fail("seeded while it is timed"))
    with side.within():
        output, _ = side.run()
    assert torch.equal(output, expected["output"])
