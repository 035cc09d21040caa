"""One direction of a program while it is laid out: where its stages read and write, and the numbers that says."""

from collections.abc import Sequence
from typing import NamedTuple

from ostinato.compiler.emit import Place, emit
from ostinato.compiler.form import Form
from ostinato.compiler.program import NUMBERS, Graph


def stride(size: int) -> int:
    """From one row of planes to the next: an odd number of cache lines, as powers of two crowd few of its sets."""
    return size + 16 * (size // 16 % 2 == 0 and size > 0)


class Space:
    """Planes side by side."""

    def __init__(self) -> None:
        self.size = 0
        self.at: dict[object, int] = {}

    @property
    def stride(self) -> int:
        """From one row to the next."""
        return stride(self.size)

    def take(self, what: object, width: int) -> int:
        """The offset of a plane, which may be there already."""
        if what not in self.at:
            self.at[what] = self.size
            self.size += -(-width // 16) * 16
        return self.at[what]


class Direction(NamedTuple):
    """One direction of a program.

    Attributes:
        form: what is computed when.
        code: its stages in C++.
        stages: which of the stages there are, by index.
        numbers: what they are called with.
        scratch: floats of a row, without what `stride` adds.
        chunk: the same.
    """

    form: Form
    code: str
    stages: tuple[bool, ...]
    numbers: tuple[int, ...]
    scratch: int
    chunk: int


class Offsets:
    """Of all places of a program, in both directions.

    Args:
        graph: all values.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._values: dict[tuple[object, ...], int] = {}

    def __getitem__(self, place: Place) -> int:
        return self._values[place.key]

    def place(self, row: str, key: tuple[object, ...], offset: int, index: int = 0) -> Place:
        """The place of that name, which lies there."""
        key = (row, *key)
        self._values[key] = offset
        return Place(row, key, index)

    def numbers(self, keys: Sequence[tuple[object, ...]]) -> tuple[int, ...]:
        """What stages are called with that ask for these."""
        return tuple(map(self._number, keys))

    def _number(self, key: tuple[object, ...]) -> int:
        if key[0] == "width":
            return self.graph[int(str(key[-1]))].width
        return int(self.graph[int(str(key[-1]))].value) if key[0] == "count" else self._values[key]


class Plan:
    """What is known of a direction before its code.

    Args:
        name: begins the names of its stages.
        offsets: of the program.

    Attributes:
        sources: where values are read that are given, come of products, or are computed elsewhere in the step.
        targets: where values have to be written.
        scratch: planes of one step.
        chunk: planes of the steps of a chunk.
    """

    def __init__(self, name: str, offsets: Offsets) -> None:
        self.name, self.offsets, self.graph = name, offsets, offsets.graph
        self.sources: dict[int, Place] = {}
        self.targets: dict[int, list[Place]] = {}
        self.scratch, self.chunk = Space(), Space()

    def write(self, at: int, place: Place) -> None:
        """A value goes there too."""
        self.targets.setdefault(at, []).append(place)

    def plane(self, at: int) -> int:
        """The offset of a value's plane of the chunk, to which it is written."""
        place = self.offsets.place("chunk", (self.name, at), self.chunk.take(at, self.graph[at].width))
        if place not in self.targets.get(at, ()):
            self.write(at, place)
        return self.offsets[place]

    def product(self, at: int, of_chunk: bool = False) -> int:
        """The offset of the plane where the recurrence leaves a product, of a step or of a whole chunk."""
        space = self.chunk if of_chunk else self.scratch
        offset = space.take(at, self.graph[at].width)
        self.sources[at] = self.offsets.place("chunk" if of_chunk else "scratch", ("product", at), offset)
        return offset

    def factor(self, at: int) -> Place:
        """Where a product reads a value: in memory that has the same distance from row to row."""
        places = [*([self.sources[at]] if at in self.sources else []), *self.targets.get(at, ())]
        return next(place for place in places if place.row in ("before", "after", "scratch", "kept"))

    def direction(self, made: Form, *, ahead: bool) -> Direction:
        """The code, with a plane for every value that leaves the loop in which it is computed; `ahead`: see `emit`."""
        for at in self._left_in_chunk(made):
            self.sources[at] = self.offsets.place("chunk", (self.name, at), self.plane(at))
        for at in self._elsewhere(made):
            inside = [place for place in self.targets.get(at, ()) if not place.outside]
            if not made.backward:  # products of a step read their factors elsewhere
                inside = [place for place in inside if place.row != "chunk"]
            if not inside:
                offset = self.scratch.take(at, self.graph[at].width)
                inside = [self.offsets.place("scratch", (self.name, at), offset)]
                self.write(at, inside[0])
            self.sources.setdefault(at, inside[0])
        code, keys = emit(made, self.name, self.sources, self.targets, ahead=ahead)
        stages = tuple(bool(stage.loops or any(stage.scalars.values())) for stage in made.stages)
        return Direction(made, code, stages, self.offsets.numbers(keys), self.scratch.size, self.chunk.size)

    def _left_in_chunk(self, made: Form) -> set[int]:
        """Values that one stage computes and another uses, or a product, where either belongs to whole chunks."""
        found: set[int] = set()
        for at in [*made.stage_of, *made.level]:
            if at in made.given:
                continue
            # the way back reads its factors in the chunk anyway
            user = made.level[at] - made.backward if at in made.level else made.stage_of[at]
            for arg in self.graph[at].args:
                stage = made.stage_of.get(arg)
                if stage is None or arg in made.given or self.graph[arg].op in NUMBERS:
                    continue
                if (stage != user or at in made.level) and (stage in made.of_chunks or user in made.of_chunks):
                    found.add(arg)
        return found

    def _elsewhere(self, made: Form) -> set[int]:
        """Values that are used in another stage or loop than where they are computed, or as factors."""
        found: set[int] = set()
        for at in [*made.stage_of, *made.level]:
            if at in made.given:
                continue
            for arg in self.graph[at].args:
                if arg in made.given or arg in made.level:
                    continue
                stage = made.stage_of.get(arg)
                if stage is None:
                    continue
                here = made.stages[stage]
                same = made.stage_of.get(at) == stage and at not in made.level
                inner = self.graph[at].args[0] if self.graph[at].op in ("sum", "largest") else at
                depth = here.depths.get(inner, 0)
                loop = self.graph[arg].width == 1 or (
                    here.depths.get(arg) == depth and self.graph[arg].width == self.graph[inner].width
                )
                if self.graph[arg].op in NUMBERS and at not in made.level:
                    continue
                if not (same and loop):
                    found.add(arg)
        return found
