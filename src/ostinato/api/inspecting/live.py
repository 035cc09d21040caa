"""Looking on while somebody types: several runs that read the same text, asked and answered in messages.

A page or a notebook sends JSON, and gets for each run a message in bytes: four with the length of a header, the header
as JSON, filled up with blanks so that what follows lies at a multiple of four, and float32 numbers; little-endian.
"""

import base64
import io
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np

from ostinato.api.inspecting.looking import Run
from ostinato.core.errors import ConfigError, OstinatoError
from ostinato.inspection.arrays import Array, rounded
from ostinato.inspection.live import Live, LivePlace
from ostinato.inspection.observed import Observed, Typed
from ostinato.inspection.units import standing_out
from ostinato.inspection.views.gradients import flows
from ostinato.tasks import TRAIN_OPTIONS, find
from ostinato.tasks.watching import ReadsTyped, ReadsTypedOfPicture

#: Characters and steps of a text at most: what is shown of it is all in memory, here and in the page.
CHARACTERS, STEPS = 20_000, 2_000

#: Pixels of a picture that is shown beside.
PICTURE = 240


class Open(msgspec.Struct, tag_field="do", tag="open", forbid_unknown_fields=True):
    """What the runs are, and a text to begin with."""


class Read(msgspec.Struct, tag_field="do", tag="read", forbid_unknown_fields=True):
    """A text as it is now. Answered with all that is not as it was at the message before, and with its `number`."""

    text: str
    number: int = 0
    whole: bool = False  # what was known before is sent too


class Rank(msgspec.Struct, tag_field="do", tag="rank", forbid_unknown_fields=True):
    """The units that stand out between two places of the text, in characters."""

    begin: int
    end: int
    top: int = 20


class Back(msgspec.Struct, tag_field="do", tag="back", forbid_unknown_fields=True):
    """The gradient's way back from a place of the text, in characters: from the step that ends there."""

    at: int


Message: TypeAlias = Open | Read | Rank | Back


class Frame(NamedTuple):
    """A run's answer.

    Attributes:
        header: what is JSON.
        numbers: `[..., rows, columns]` float32 after one another.
    """

    header: dict[str, Any]
    numbers: Sequence[Array] = ()

    def packed(self) -> bytes:
        """The message."""
        header = json.dumps(self.header, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")
        header += b" " * (-len(header) % 4)
        parts = [np.ascontiguousarray(part, "<f4").tobytes() for part in self.numbers]
        return b"".join([len(header).to_bytes(4, "little"), header, *parts])


class Watch:
    """A run that reads a text while it is typed.

    Args:
        run: of a task that reads one sequence.

    Raises:
        ConfigError: a run of another task.
    """

    def __init__(self, run: Run) -> None:
        if not isinstance(run.task, ReadsTyped):
            able = ", ".join(name for name in TRAIN_OPTIONS if isinstance(find(name), ReadsTyped))
            raise ConfigError(
                f"{run.folder.path}: expected a run of a task that reads one sequence ({able}), got "
                f"{run.config['task']!r}"
            )
        self.run, self._task = run, run.task
        self._live = Live(run.model)
        self._typed = Typed([], lambda steps: self._task.typed(run, "").upto(steps))
        self._shown: list[_Shown] = []

    def open(self, _: Open) -> Frame:
        """Name, task, and a text to begin with."""
        found = {"name": self.run.folder.path.name, "task": self.run.config["task"]}
        return Frame(found | {"example": self._task.example(self.run), "picture": _picture(self.run)})

    def read(self, asked: Read) -> Frame:
        """Every gate, state and output of every unit, of the steps that are not as they were.

        Raises:
            ConfigError: a text that is too long.
            DataError: one that cannot be read.
        """
        if len(asked.text) > CHARACTERS:
            raise ConfigError(f"expected at most {CHARACTERS:,} characters, got {len(asked.text):,}")
        typed = self._task.typed(self.run, asked.text)
        if len(typed.spans) > STEPS:
            raise ConfigError(f"expected at most {STEPS:,} steps, got {len(typed.spans):,}")
        before, self._typed, self._shown = self._typed.spans, typed, []
        observed = typed.upto(len(typed.spans)) if typed.spans else None
        if observed is not None:
            self._shown = _shown(self._live.read(observed), observed)
        same = 0 if asked.whole else _same(before, typed.spans)
        starts = [0 if asked.whole else one.place.start for one in self._shown]
        header = {
            "number": asked.number,
            "steps": len(typed.spans),
            "from": same,
            "spans": typed.spans[same:],
            "written": [] if observed is None else list(observed.written),
            "places": [one.header(start) for one, start in zip(self._shown, starts, strict=True)],
        }
        rows = [
            series.values[start:] for one, start in zip(self._shown, starts, strict=True) for series in one.place.series
        ]
        return Frame(header, rows)

    def rank(self, asked: Rank) -> Frame:
        """Units, the best first.

        Raises:
            ConfigError: places between which there is no step, or all of them.
        """
        spans, steps = self._typed.spans, len(self._typed.spans)
        in_span = np.array([begin < asked.end and end > asked.begin for begin, end in spans], bool)
        read = [(p, one.place.series) for p, one in enumerate(self._shown) if not one.writes]
        where = [(p, s) for p, series in read for s in range(len(series))]
        values = [values.values for _, series in read for values in series]
        if not steps:
            raise ConfigError("there is nothing to select from yet")
        found = standing_out(values, in_span, max(1, min(asked.top, 1_000)))
        units = [
            {"place": where[one.series][0], "series": where[one.series][1], "unit": one.unit}
            | {name: rounded(getattr(one, name)) for name in ("auc", "inside", "outside")}
            for one in found
        ]
        return Frame({"begin": asked.begin, "end": asked.end, "units": units})

    def back(self, asked: Back) -> Frame:
        """Norms of the gradient by each state, of what the model says behind one step: for each step up to it.

        Raises:
            DataError: a place that the model says nothing at.
        """
        if not self._typed.spans:
            raise ConfigError("there is nothing to follow a gradient through yet")
        step = max(0, bisect_right([end for _, end in self._typed.spans], asked.at) - 1)
        observed = self._typed.upto(step + 1)
        found = []
        for flow in flows(self.run.model, observed):
            norms = {name: np.asarray(values[:, 0])[1:] for name, values in flow.norms.items()}
            if flow.place.reverse or observed.turned:
                norms = {name: values[::-1] for name, values in norms.items()}
            fields = [{"name": name, "norms": rounded(values.tolist())} for name, values in norms.items()]
            found.append({"label": flow.place.label, "reverse": flow.place.reverse, "fields": fields})
        return Frame({"step": step, "what": observed.what, "pooled": observed.pooled, "places": found})


class Watches:
    """Several runs that are looked at together.

    Args:
        runs: one or more.

    Raises:
        ConfigError: a run of a task that reads no sequence.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._watches = [Watch(run) for run in runs]

    def answers(self, message: str | bytes) -> Iterator[bytes]:
        """The answer of each run to a message, as it is there; where a run has none, its header says why as `error`."""
        try:
            asked: Message = msgspec.json.decode(message, type=Message)
        except msgspec.DecodeError as error:
            yield Frame({"run": -1, "do": "", "error": f"expected a message as {__name__} has them: {error}"}).packed()
            return
        do = type(asked).__struct_config__.tag
        for number, watch in enumerate(self._watches):
            answer: Callable[[Any], Frame] = getattr(watch, str(do))
            try:
                frame = answer(asked)
            except OstinatoError as error:
                echo = {"number": asked.number} if isinstance(asked, Read) else {}
                frame = Frame({"error": str(error)} | echo)
            yield frame._replace(header={"run": number, "do": do} | frame.header).packed()


def _same(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> int:
    """How many of the first are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (old, new) in pairs if old != new), min(len(one), len(other)))


class _Shown(NamedTuple):
    """A layer's run as it is shown.

    Attributes:
        place: what went on in it.
        part: of the model, such as "encoder"; empty where there is but one.
        layer: of that part, from 0.
        writes: whether its steps are those of what is written, not of what is read.
    """

    place: LivePlace
    part: str
    layer: int
    writes: bool

    def header(self, start: int) -> dict[str, Any]:
        """What a page is told of it, whose steps from `start` on are sent."""
        place = self.place
        series = [
            {
                "kind": one.kind,
                "name": one.name,
                "size": one.values.shape[1],
                "limits": None if one.limits is None else list(one.limits),
            }
            for one in place.series
        ]
        where = {"label": place.place.label, "part": self.part, "layer": self.layer, "reverse": place.place.reverse}
        return where | {
            "writes": self.writes, "cell": place.cell, "start": start, "unseen": list(place.unseen), "series": series
        }  # fmt: skip


def _shown(places: Sequence[LivePlace], observed: Observed) -> list[_Shown]:
    """The layers in the order in which they run; those of modules that stand above each other are counted on."""
    found: list[_Shown] = []
    below: dict[str, int] = {}  # layers under each module's first
    for place in places:
        name = place.place.name
        part = "" if name == "recurrent" else name.partition(".")[0]
        if name not in below:
            below[name] = max((one.layer + 1 for one in found if one.part == part), default=0)
        writes = name in observed.writers
        turned = observed.turned and not writes
        found.append(_Shown(_turned(place) if turned else place, part, below[name] + place.place.layer, writes))
    return found


def _turned(place: LivePlace) -> LivePlace:
    """Of a module that reads from the last step: as the steps stand in the text."""
    series = [replace(one, values=one.values[::-1]) for one in place.series]
    return replace(place, place=place.place._replace(reverse=True), start=0, series=series)


def _picture(run: Run) -> str | None:
    """What the model sees meanwhile, small, as an address that holds it."""
    if not isinstance(run.task, ReadsTypedOfPicture):
        return None
    try:
        from PIL import Image

        path = run.task.picture(run)
        if path is None:
            return None
        with Image.open(path) as picture:
            picture.thumbnail((PICTURE, PICTURE))
            packed = io.BytesIO()
            picture.convert("RGB").save(packed, "JPEG", quality=85)
    except (OstinatoError, OSError, ImportError):
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(packed.getvalue()).decode()}"
