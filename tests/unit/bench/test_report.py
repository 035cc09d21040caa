import copy
import json

import pytest

from ostinato.bench import report, targets
from ostinato.bench.layers import summary

MACHINE = {"cpu": "Some CPU (family 1)", "cores": 2, "isa": "avx2", "versions": {"torch": "2"}}


def row(ratio, share=0.5, N=20, T=35, H=128):
    return {
        "row": {"N": N, "T": T, "D": H, "H": H},
        "errors": {"ostinato": {"output": 1e-7, "gradient": 2e-7}, "torch": {"output": 1e-7, "gradient": 2e-7}},
        "wrong": {},
        "ms": {name: {"low": 1.0, "median": m, "high": 3.0} for name, m in (("ostinato", 1.5), ("torch", 1.5 * ratio))},
        "fastest": "torch",
        "ratio": ratio,
        "of_sgemm": share,
    }


def table(*rows, group="lstm", threads=2, void=False):
    about = {
        "cell": "lstm",
        "work": "training",
        "precision": "highest",
        "dtype": "float32",
        "ragged": False,
        "options": {},
    }
    sgemm = {"before": 100.0, "after": 101.0, "usual": 110.0}
    found = {"group": group, **about, "against": ["torch"], "threads": threads, "isa": "avx2", "measured": "2026-01-01"}
    return found | {"sgemm": sgemm, "void": void, "rows": list(rows)}


def test_the_mean_is_geometric_and_leaves_out_single_steps():
    found, shares = targets.reached([table(row(1.0), row(4.0), row(100.0, T=1))])
    assert found["mean"] == 2.0
    assert found["worst_row"] == "lstm N20 T35 H128"
    assert found["short"] == ["lstm N20 T35 H128 by 9%"]
    assert shares["measure"] == "of sgemm"


def test_a_row_near_the_machines_own_rate_has_done_enough():
    (found, *_) = targets.reached([table(row(0.9, share=0.8), row(5.0, share=0.1))])
    assert found["short"] == []
    (found, *_) = targets.reached([table(row(0.9, share=0.6), row(5.0, share=0.1))])
    assert found["short"] == ["lstm N20 T35 H128 by 18%"]  # 0.9 of 1.1, or 0.6 of 0.75: the nearer one counts... 0.82


def test_shares_count_for_large_layers():
    *_, found = targets.reached([table(row(3.0, share=0.5), row(3.0, share=0.1, H=64), row(3.0, share=0.1, N=16))])
    assert (found["worst"], found["short"]) == (0.5, ["lstm N20 T35 H128 by 23%"])


def test_a_row_with_a_wrong_number_shows_and_does_not_count():
    wrong = row(9.0) | {"wrong": {"jax": "output off"}, "ms": {}, "ratio": None, "fastest": None}
    result = summary(MACHINE, [table(row(2.5), wrong)], [])
    assert result["targets"][0]["mean"] == 2.5
    assert result["wrong"][0]["side"] == "jax"
    assert "jax: output off" in report.markdown(result)


def test_times_that_contradict_each_other_are_told():
    one, other = table(row(2.0)), table(row(1.0), group="lstm-medium") | {"precision": "medium"}
    assert report.disturbed([one, other]) == ["torch, N20 T35 H128: 1.5 ms in lstm-medium, 3 in lstm"]
    assert "Where the machine was disturbed" in report.markdown(summary(MACHINE, [one, other], []))
    assert report.disturbed([one, table(row(1.9), group="lstm-medium")]) == []


def test_a_mean_over_some_of_its_groups_says_so():
    result = summary(MACHINE, [table(row(9.0), group="lstm_peephole")], [])
    assert "(of these lstm_peephole)" in report.markdown(result)
    assert "(of these" not in report.markdown(summary(MACHINE, [table(row(9.0))], []))


def test_markdown_has_every_number():
    page = report.markdown(
        summary(MACHINE, [table(row(2.5, 0.61), void=True)], [{"group": "g", "peer": "p", "why": "w"}])
    )
    for piece in ("2.50 (torch)", "0.61", "3.75", "VOID", "Some CPU", "p in g: w", "sgemm 100 GF/s before, 101 after"):
        assert piece in page


def test_a_folder_is_filled_in_parts(tmp_path):
    pytest.importorskip("matplotlib")
    first = summary(MACHINE, [table(row(2.0), row(3.0, H=256)), table(row(1.0), group="gru")], [])
    assert {path.suffix for path in report.write(report.merged(first, tmp_path), tmp_path)} == {".md", ".json", ".png"}
    second = summary(MACHINE, [table(row(5.0)), table(row(7.0), threads=1)], [])
    result = report.merged(copy.deepcopy(second), tmp_path)
    report.write(result, tmp_path)
    kept = {(t["group"], t["threads"]): [r["ratio"] for r in t["rows"]] for t in result["tables"]}
    assert kept == {("lstm", 2): [5.0, 3.0], ("gru", 2): [1.0], ("lstm", 1): [7.0]}
    assert json.loads((tmp_path / "layers-some-cpu-family-1.json").read_text()) == result
    other = summary(MACHINE | {"cpu": "Another"}, [table(row(1.0))], [])
    assert report.merged(other, tmp_path) == other
    result["tables"][0]["void"] = True  # the row that is kept is void still
    report.write(result, tmp_path)
    quiet = table(row(6.0)) | {"measured": "2026-02-02"}
    again = report.merged(summary(MACHINE, [quiet], []), tmp_path)["tables"][0]
    assert (again["void"], again["measured"]) == (True, "2026-01-01, 2026-02-02")
    whole = table(row(6.0), row(3.0, H=256))
    assert not report.merged(summary(MACHINE, [whole], []), tmp_path)["tables"][0]["void"]
