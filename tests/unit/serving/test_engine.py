"""The engine's turns, with work that only writes down what it is asked to do."""

import asyncio
import itertools
import threading
import time
from dataclasses import dataclass, field

import pytest

from ostinato.serving import engine as engines
from ostinato.serving.engine import Engine, EngineClosedError, Job
from ostinato.serving.metrics import Metrics
from ostinato.serving.problems import Problem


@dataclass(eq=False, kw_only=True)
class Task(Job):
    name: str
    steps: int
    parts: int = 0
    silent: int = 0  # steps before it shows something
    ahead: bool = False
    deadline: float = field(default_factory=lambda: time.monotonic() + 20)


class Recorded:
    """Work that says what was done when; a step waits until it is let go on, where `gate` is closed."""

    at_once = 4

    def __init__(self):
        self.done, self.left, self.gate = [], [], threading.Event()
        self.gate.set()
        self.inside = threading.Event()

    def short(self, job):
        return job.parts == 0

    def prepare(self, job, *, beside):
        if job.parts:
            job.parts -= 1
            self.done.append(f"part of {job.name}")
        job.done = not job.parts and not job.steps
        return not job.parts

    def step(self, jobs):
        self.inside.set()
        assert self.gate.wait(10)
        self.done.append(" ".join(job.name for job in jobs))
        if any(job.name == "bad" for job in jobs):
            raise ValueError("no step")
        for job in jobs:
            job.steps -= 1
            job.silent -= 1
            job.done, job.beginning = not job.steps, job.silent > 0

    def leave(self, job, *, broken):
        self.left.append(job.name + "!" * broken)


@pytest.fixture
def work():
    return Recorded()


def engine_of(work, capacity=100, queue=100):
    return Engine(work, capacity, queue, Metrics(), "test")


def doing(work, *names, **limits):
    """Run jobs that all come while a first one is in a step: what was done."""

    async def run():
        engine = engine_of(work, **limits)
        work.gate.clear()
        first = engine.submit(Task(name="first", steps=1))
        while not work.inside.is_set():
            await asyncio.sleep(0.001)
        jobs = [engine.submit(Task(**one)) for one in names]
        work.gate.set()
        await asyncio.gather(*(job.end() for job in (first, *jobs)), return_exceptions=True)
        assert engine.busy == 0
        engine.close()
        return jobs

    return asyncio.run(run())


def test_all_have_turns_and_a_few_at_once(work):
    doing(work, *({"name": str(n), "steps": 2} for n in range(6)))
    assert work.done[0] == "first"
    assert all(len(step.split()) <= 4 for step in work.done)
    for n in range(6):
        assert sum(str(n) in step.split() for step in work.done) == 2
    # the second step of none comes before the first of all
    flat = " ".join(work.done[1:]).split()
    assert [*map(int, flat[:6])] != sorted([*map(int, flat[:6])]) or set(flat[:6]) == set("012345")


def test_who_comes_does_not_wait_for_all_others(work):
    """Beside twenty that are under way a new one has its step before any of them has two more."""

    async def run():
        engine = engine_of(work)
        others = [engine.submit(Task(name=str(n), steps=10**9)) for n in range(20)]
        while len(work.done) < 30:
            await asyncio.sleep(0.001)
        work.gate.clear()
        work.inside.clear()
        while not work.inside.is_set():
            await asyncio.sleep(0.001)
        at = len(work.done)
        late = engine.submit(Task(name="late", steps=1))
        work.gate.set()
        await late.end()
        for other in others:
            other.cancelled = True
        await asyncio.gather(*(other.end() for other in others), return_exceptions=True)
        engine.close()
        return work.done[at:]

    after = asyncio.run(run())
    assert "late" in after[:2]


def test_who_has_shown_nothing_comes_before_the_others(work):
    doing(work, *({"name": str(n), "steps": 30} for n in range(12)), {"name": "new", "steps": 5, "silent": 5})
    mine = [number for number, step in enumerate(work.done) if "new" in step.split()]
    assert all(later - one <= 2 for one, later in itertools.pairwise(mine))  # one step of others between any two


def test_steps_are_small_for_a_while_after_somebody_has_come(work):
    """Who comes next waits for half of a step; where nobody comes steps are as large as they may be."""
    doing(work, *({"name": str(n), "steps": 30} for n in range(12)))
    seen, sizes = set(), []
    for step in work.done:
        if seen.issuperset(step.split()):  # not a first one
            sizes.append(len(step.split()))
        seen.update(step.split())
    assert set(sizes[:4]) == {2}
    assert set(sizes[12:60]) == {4}


@pytest.mark.parametrize(("apart", "least", "most"), [(60.0, 2, 2), (0.0, 50, 51)])
def test_who_listens_is_told_some_steps_at_a_time(work, monkeypatch, apart, least, most):
    monkeypatch.setattr(engines, "_APART", apart)
    told = []
    monkeypatch.setattr(Task, "wake", lambda job: (told.append(job.steps), Job.wake(job)))

    async def run():
        engine = engine_of(work)
        job = engine.submit(Task(name="long", steps=50, listens=True))
        await job.end()
        await asyncio.sleep(0.01)
        engine.close()

    asyncio.run(run())
    assert least <= len(told) <= most  # of the first step and of the end, or of each


def test_what_is_ahead_of_its_client_takes_no_step_until_it_is_not(work):
    async def run():
        engine = engine_of(work)
        job, other = Task(name="full", steps=3, ahead=True), Task(name="other", steps=20)
        for each in (job, other):
            engine.submit(each)
        await other.end()
        await asyncio.sleep(0.05)
        assert job.steps == 3
        assert engine.busy == 1
        job.ahead = False
        await job.end()
        engine.close()

    asyncio.run(run())
    assert work.left == ["other", "full"]


def test_whoever_sees_the_end_finds_what_it_left(work):
    """The engine says that a job has ended before it calls into the loop: who looks in between must not be early."""

    async def run(see):
        found = []
        job = Task(name="over", steps=0, on_end=lambda job: found.append(job.name))
        job.ended = True
        await see(job)
        assert found == ["over"]
        job.wake()
        assert found == ["over"]

    async def listened(job):
        async for _ in job.changes():
            pass

    asyncio.run(run(Task.end))
    asyncio.run(run(listened))


def test_long_preparations_take_turns_with_steps(work):
    doing(work, {"name": "long", "steps": 1, "parts": 3}, {"name": "longer", "steps": 1, "parts": 3},
          {"name": "writes", "steps": 8})  # fmt: skip
    parts = [number for number, what in enumerate(work.done) if what.startswith("part of")]
    assert len(parts) == 6
    assert all(later - one > 1 for one, later in itertools.pairwise(parts))  # a step between any two


def test_what_fails_ends_its_own_alone(work):
    bad, good = doing(work, {"name": "bad", "steps": 1}, {"name": "good", "steps": 3, "parts": 2})
    assert bad.problem.status == 500
    assert good.problem is None
    assert "bad!" in work.left
    assert "good" in work.left


def test_what_is_given_up_leaves_at_its_next_turn(work):
    async def run():
        engine = engine_of(work)
        job, late = Task(name="gone", steps=10**9), Task(name="late", steps=10**9)
        for each in (job, late):
            engine.submit(each)
        job.cancelled, late.deadline = True, time.monotonic()
        for each, said in ((job, "cancelled"), (late, "ask for less")):
            with pytest.raises(Problem, match=said):
                await each.end()
        engine.close()

    asyncio.run(run())
    assert sorted(work.left) == ["gone", "late"]


def test_more_than_there_may_be_wait_or_are_refused(work):
    async def run():
        engine = engine_of(work, capacity=2, queue=1)
        work.gate.clear()
        jobs = [engine.submit(Task(name=str(n), steps=2)) for n in range(3)]
        with pytest.raises(Problem, match="wait already") as refused:
            engine.submit(Task(name="refused", steps=1))
        assert refused.value.status == 429
        work.gate.set()
        await asyncio.gather(*(job.end() for job in jobs))
        engine.close()
        with pytest.raises(EngineClosedError):
            engine.submit(Task(name="after", steps=1))

    asyncio.run(run())
    assert all(len(step.split()) <= 2 for step in work.done)
    assert not any("2" in step and "0" in step for step in work.done[:2])
