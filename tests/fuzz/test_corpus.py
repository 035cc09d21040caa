"""What the fuzzer has found, once and for all: each case that was kept is run again."""

from pathlib import Path

import pytest

from tests.fuzz import areas, case

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))


@pytest.fixture(scope="session")
def bases(tmp_path_factory):
    case.warm()
    return tmp_path_factory.mktemp("bases")


@pytest.mark.parametrize("kept", CORPUS, ids=lambda path: path.stem)
def test_no_fault(kept, bases):
    assert not case.judge(case.load(kept), bases)


@pytest.mark.parametrize("area", areas.AREAS)
def test_a_case_is_drawn_by_its_number_alone(area):
    draw = areas.AREAS[area][0]
    assert draw(case.seeded(area, 7)).dumps() == draw(case.seeded(area, 7)).dumps()
