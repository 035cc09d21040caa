"""The fuzzer: `make fuzz MINUTES=10 SEED=1`, or `python -m tests.fuzz --minutes 10 --seed 1`.

Prints its seed, and of each fault the words that show it again. A fault is a traceback, a status other than 0 or 2, a
warning of Python's, something that hangs or takes time or memory out of proportion, a file destroyed outside of the
run folder, or a wrong number. Each is kept as a file that `--replay` runs again; mended, it goes to tests/fuzz/corpus.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.fuzz import areas, case, samples

KEPT = Path("build/fuzz")


def main() -> int:
    """Look for faults until the time is over. Status 1 where there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to look (default: 5)")
    parser.add_argument("--seed", type=int, default=None, help="of the cases; by default another one each time")
    parser.add_argument("--area", choices=areas.AREAS, action="append", help="look here only; may be given again")
    parser.add_argument("--case", type=int, help="run this case of --area alone, and show it")
    parser.add_argument("--replay", type=Path, nargs="+", help="run cases that were kept")
    given = parser.parse_args()
    case.warm()
    with tempfile.TemporaryDirectory(prefix="ostinato-fuzz-bases-") as bases:
        if given.replay:
            return _replay(given.replay, Path(bases))
        if given.case is not None:
            return _one((given.area or ["folders"])[0], given.case, Path(bases))
        return _look(given, Path(bases))


def _replay(files: list[Path], bases: Path) -> int:
    faults = {file: case.judge(case.load(file), bases) for file in files}
    for file, fault in faults.items():
        print(f"{file}: {fault or 'no fault'}")
    return int(any(faults.values()))


def _one(area: str, number: int, bases: Path) -> int:
    drawn = areas.AREAS[area][0](case.seeded(area, number))
    print(drawn.dumps())
    fault = case.judge(drawn, bases)
    print(fault or "no fault")
    return int(bool(fault))


def _look(given: argparse.Namespace, bases: Path) -> int:
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    chosen = given.area or list(areas.AREAS)
    print(f"seed {seed}, {given.minutes:g} minutes, {', '.join(chosen)}", flush=True)
    for name in samples.TRAIN:
        samples.made(name, bases)
    end = time.monotonic() + 60 * given.minutes
    run, kinds, number = Counter[str](), Counter[str](), seed * 10**6
    order = [name for name in chosen for _ in range(areas.AREAS[name][1])]
    while time.monotonic() < end:
        area, number = order[number % len(order)], number + 1
        drawn = areas.AREAS[area][0](case.seeded(area, number))
        fault = case.judge(drawn, bases)
        run[area] += 1
        if fault:
            kind = signature(fault)
            kinds[kind] += 1
            if kinds[kind] == 1:
                KEPT.mkdir(parents=True, exist_ok=True)
                (KEPT / f"{area}-{number}.json").write_text(drawn.dumps())
                print(f"\nFAULT: --area {area} --case {number} ({KEPT}/{area}-{number}.json)\n{fault}", flush=True)
    print("\n" + ", ".join(f"{count} of {name}" for name, count in run.items()), file=sys.stderr)
    print(f"{sum(run.values())} cases, {sum(kinds.values())} faults of {len(kinds)} kinds")
    for kind, count in kinds.most_common():
        print(f"{count:5d}  {kind}")
    return int(bool(kinds))


def signature(fault: str) -> str:
    """Its kind: the last place in our sources and the type of the error, without numbers."""
    places = re.findall(r'File "[^"]*/((?:ostinato|tests)/[^"]+)", line \d+, in (\w+)', fault)
    last = fault.strip().splitlines()[-1] if "Traceback" in fault or "traceback" in fault else fault.splitlines()[0]
    return re.sub(r"\d+", "N", f"{':'.join(places[-1]) if places else ''} {last}")[:160].strip()


if __name__ == "__main__":
    sys.exit(main())
