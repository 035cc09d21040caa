"""Time several things in turn, so that whatever the machine does meets all of them."""

import random
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

#: Threads of the side before may still spin on the cores of the next: ONNX Runtime's a million pauses, 15 to 40 ms.
SETTLE = 0.05
TURNS = 7
LEAST_TURNS = 3
#: A side that takes so many seconds a call is called twice in all.
SLOW = 0.5


class Timed(NamedTuple):
    """A side to time: what to call, and what has to hold meanwhile."""

    call: Callable[[], object]
    within: Callable[[], AbstractContextManager[None]]


class Spread(NamedTuple):
    """Quartiles of the time of a call, in milliseconds."""

    low: float
    median: float
    high: float


def interleaved(sides: Mapping[str, Timed], seconds: float) -> dict[str, Spread]:
    """Time the sides in turns of many calls each, warm, for about so long in all."""
    once = {name: _warm(side) for name, side in sides.items()}
    names, order = [name for name in sides if once[name] < SLOW], random.Random(0)
    turns = max(LEAST_TURNS, min(TURNS, int(seconds / (sum(once[name] for name in names) or seconds))))
    burst = seconds / turns / (len(names) or 1)
    times: dict[str, list[float]] = {name: [] for name in sides}
    for name in sides.keys() - names:
        with sides[name].within():
            times[name] = [once[name], *_repeat(sides[name].call, 0)]
    for _ in range(turns):
        order.shuffle(names)  # so that no side always follows the same other
        for name in names:
            with sides[name].within():
                _settle(sides[name], once[name])
                times[name] += _repeat(sides[name].call, burst)
    return {name: _spread(found) for name, found in times.items()}


def _warm(side: Timed) -> float:
    """Seconds of a call once it has been called a few times; of a slow one the first, for the numbers were checked."""
    with side.within():
        (first,) = _repeat(side.call, 0)
        return first if first >= SLOW else _repeat(side.call, 0.05)[-1]


def _settle(side: Timed, once: float) -> None:
    """Let the threads of the side before come to rest, at work; where a call takes long, a pause costs less."""
    time.sleep(SETTLE) if once > 2 * SETTLE else _repeat(side.call, SETTLE)


def _repeat(call: Callable[[], object], seconds: float) -> list[float]:
    """Call once or more, for so long; how long each took."""
    times: list[float] = []
    now = time.perf_counter()
    end = now + seconds
    while not times or now < end:
        begun = now
        call()
        now = time.perf_counter()
        times.append(now - begun)
    return times


def _spread(times: list[float]) -> Spread:
    low, median, high = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    return Spread(*(round(1e3 * value, 5) for value in (low, median, high)))
