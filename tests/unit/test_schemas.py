"""docs/schemas holds what the results' types say."""

import json
import runpy
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "schemas.py"))
GENERATED = SCRIPT["schemas"]()
COMMITTED = {file.stem: file.read_text(encoding="utf-8") for file in (ROOT / "docs" / "schemas").glob("*.json")}


def test_none_is_written_by_hand():
    assert COMMITTED.keys() == GENERATED.keys()


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_what_is_committed_is_what_the_types_say(name):
    assert COMMITTED[name] == SCRIPT["written"](GENERATED[name]), "make schemas"
    Draft202012Validator.check_schema(GENERATED[name])


def test_results_of_earlier_versions_are_read():
    for name in ("layers", "lm"):
        for file in (ROOT / "benchmarks" / "results").glob(f"{name}-*.json"):
            Draft202012Validator(GENERATED[f"bench-{name}"]).validate(json.loads(file.read_text()))
