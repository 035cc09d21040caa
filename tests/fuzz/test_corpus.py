"""What the fuzzer has found, once and for all: each case that was kept is run again."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.fuzz import areas, case

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))


@pytest.fixture(scope="session")
def judge(tmp_path_factory):
    """What is wrong with a case, found by a process that has run nothing else: cases are forked, and OpenMP's threads,
    which other tests have started in this one, do not go along: a case of two threads would wait for them."""
    bases = tmp_path_factory.mktemp("bases")
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=case.warm) as apart:
        yield lambda kept: apart.submit(case.judge, case.load(kept), bases).result()


@pytest.mark.parametrize("kept", CORPUS, ids=lambda path: path.stem)
def test_no_fault(kept, judge):
    assert not judge(kept)


@pytest.mark.parametrize("area", areas.AREAS)
def test_a_case_is_drawn_by_its_number_alone(area):
    draw = areas.AREAS[area][0]
    assert draw(case.seeded(area, 7)).dumps() == draw(case.seeded(area, 7)).dumps()
