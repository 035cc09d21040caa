"""Sides are built and held against float64 before they are timed."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch

from ostinato.bench import accuracy
from ostinato.bench.problem import Problem, errors
from ostinato.bench.sides import LeftOutError, Side, sides
from ostinato.bench.sides.eager import loop

#: Where float32 is off by as much as this, the cell is chaotic: what is computed after many steps is of the rounding.
CHAOTIC = 1e-3
#: Steps after which it is not yet.
FEW = 20


class Checked(NamedTuple):
    """What was found.

    Attributes:
        errors: by side, as `accuracy.worst` has them.
        wrong: by side, what is wrong with them.
        left_out: by side, why it could not take part.
        checked_steps: of how many steps.
    """

    errors: dict[str, dict[str, float]]
    wrong: dict[str, str]
    left_out: dict[str, str]
    checked_steps: int


def check(given: Problem, names: Sequence[str]) -> tuple[Checked, Mapping[str, Side]]:
    """Build sides for a problem and check them; of a chaotic cell over the first steps alone."""
    found, own, ready, left_out = _errors(given, names)
    steps = given.x.shape[0]
    plain = (given.group.precision, given.group.dtype, given.lengths) == ("highest", "float32", None)
    if plain and steps > FEW and max(own.values()) > CHAOTIC:
        steps = FEW
        few = Problem.make(given.group, given.row._replace(T=FEW))
        found, own, _, _ = _errors(few, tuple(ready))
    judged = partial(accuracy.fault, precision=given.group.precision, dtype=given.group.dtype, kinks=given.has_kinks)
    faults = {name: judged(name, each, own) for name, each in found.items()}
    wrong = {name: fault for name, fault in faults.items() if fault}
    return Checked(found, wrong, left_out, steps), ready


def _errors(
    given: Problem, names: Sequence[str]
) -> tuple[dict[str, dict[str, float]], dict[str, float], dict[str, Side], dict[str, str]]:
    """Errors of sides, the yardstick's among them or not, the sides that are ready, and why others are left out."""
    reference = loop(given, torch.float64).results()
    share = accuracy.SMOOTH_SHARE if given.has_kinks else 1.0
    builders, group = sides(), given.group
    ready: dict[str, Side] = {}
    found: dict[str, dict[str, float]] = {}
    left_out = {}
    for name in names:
        try:
            side = builders[name](given)
            found[name] = accuracy.worst(errors(side.results(), reference, share))
        except Exception as error:
            if name in accuracy.OURS and not isinstance(error, LeftOutError):
                raise
            what = "" if isinstance(error, LeftOutError) else f"{type(error).__name__}: "
            left_out[name] = what + (str(error).strip().splitlines() or ["?"])[0][:200]
            continue
        ready[name] = side
    yardstick = accuracy.yardstick(group.peers, group.precision, group.dtype)
    own = found.get(yardstick) or accuracy.worst(errors(builders[yardstick](given).results(), reference, share))
    return found, own, ready, left_out
